"""What is judged offline is what the service does: the same scores, the same alerts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analytics.evaluation import evaluate
from analytics.events import Arrival
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring import floor
from analytics.scoring.episodes import threshold_for
from sensors.recording import read_recording, windows
from tests.analytics.synthetic_floor import SITE, START, teams

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "recordings"


def test_a_recording_is_judged_as_the_service_judges_its_agent():
    recording = read_recording(RECORDINGS / "simulated2.csv.gz")
    threshold = 0.2 * threshold_for(1)  # long episodes: what teaches in them matters
    judged = evaluate.judge([evaluate.trace(recording)], [threshold])[0][0]
    pipeline = Pipeline(SITE, teams(1))
    began_s, scores = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(floor, "threshold_for", lambda _: threshold)
        sent = windows(
            recording, site=SITE, agent="k0", source="file", run="run00001", start_at=START
        )
        for t_s, message in zip(5.0 * np.arange(1, 1000), sent, strict=False):
            at, was_active = message.window_end_at, pipeline.floor.columns["active"].any()
            out = pipeline.step([Arrival(int(t_s), at, "k0", message)], at)
            scores += [p.fields.get("score") for p in out.points if p.measurement == "score"]
            if pipeline.floor.columns["active"][0] and not was_active:
                began_s.append(t_s)
    assert began_s == judged.alerts_s.tolist()
    assert len(began_s) > 1
    assert np.allclose(np.array(scores, float), judged.score, atol=1e-4, equal_nan=True)

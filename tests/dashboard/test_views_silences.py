"""What the supervisor's page says of silences, of alerts told again, and of how the alerts do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.store.embedded import EmbeddedStore
from dashboard import resources
from dashboard.resources import Desk
from sensors.messages import Action
from tests.dashboard.floors import NAMES, silence
from tests.dashboard.pages import ALERT, NOW, Line, html, page


def test_a_silence_stands_on_the_page_and_can_be_ended(
    floor: Desk, store: EmbeddedStore, line: Line
) -> None:
    at, two, one = NOW - timedelta(minutes=1), timedelta(minutes=121), timedelta(minutes=61)
    store.write(
        [silence("silencek30000", "k3", at, two, "ana"), silence("silenceteam0000", None, at, one)]
    )
    floor.watch.look()
    app = page(floor)
    said = html(app)
    assert "2 silences" in said
    assert "No alerts until 12:30, silenced by you. Why: drill." in said
    assert "No alerts until 11:30, silenced by Bo Chen. Why: drill." in said
    keys = [b.proto.shortcut for b in app.button if b.proto.shortcut]
    assert sorted(keys) == ["e", "l", "t"], "one key, one meaning"
    app.button(key="lift-silencek30000").click().run()
    (message,) = line.decided
    assert (message.action, message.agent, message.team) == (Action.SILENCE, "k3", None)
    assert message.until_at == NOW
    assert "Sent." in html(app)
    assert "lift-silencek30000" not in {button.key for button in app.button}
    line.lose()
    app.button(key="lift-silenceteam0000").click().run()
    assert "Not recorded: the message broker is away." in html(app)
    assert "lift-silenceteam0000" in {button.key for button in app.button}


def test_a_silence_that_ended_is_gone_even_while_the_store_is_away(
    floor: Desk, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write([silence("silencek30000", "k3", NOW, timedelta(seconds=30))])
    floor.watch.look()
    assert "1 silence" in html(page(floor))
    later = replace(floor, clock=lambda: NOW + timedelta(minutes=1))
    monkeypatch.setattr(resources, "desk", lambda: later)
    assert "silence" not in html(page(later))


def test_told_again_and_passed_on_are_said_in_one_note(floor: Desk, line: Line) -> None:
    again = "Told again 10:29: nobody has taken it."
    came = "Nobody answered before, so it came on to you."
    line.book.heard(ALERT.alert_id, replace(ALERT, escalated=1, told_to=("ana", "bo")))
    said = html(page(floor))
    assert came in said
    repeated = replace(ALERT, escalated=1, repeated_at=NOW - timedelta(minutes=1))
    line.book.heard(ALERT.alert_id, repeated)
    said = html(page(floor))
    assert again in said
    assert came not in said
    line.book.heard(ALERT.alert_id, replace(repeated, told_to=("bo", "ana")))
    said = html(page(floor))
    assert "Now with Bo Chen." in said
    assert came not in said
    line.book.heard(ALERT.alert_id, replace(repeated, taken_by="ana", taken_at=NOW))
    assert again not in html(page(floor))


def test_how_the_alerts_do_is_folded_at_the_bottom(floor: Desk) -> None:
    app = page(floor)
    (folded,) = app.expander
    assert folded.label == "How the alerts do"
    assert not folded.proto.expanded
    said = html(app)
    assert "0.0 an hour; at most 2." in said
    assert said.index("Everyone else") < said.index("Signals told to you")
    for name in NAMES.values():
        assert name not in said[said.index("Signals told to you") :]

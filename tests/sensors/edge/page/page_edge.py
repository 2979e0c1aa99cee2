"""An edge with its agent's page, in a process of its own, ten times as fast: ``PORT STATE_DIR``.

Further words are the channels that its (simulated) collector could measure;
nothing was consented to yet.
"""

import asyncio
import sys
import webbrowser
from datetime import timedelta
from functools import partial
from pathlib import Path

from sensors.config import BrokerSettings
from sensors.edge.own.record import OwnRecord
from sensors.edge.running.beside import companions
from sensors.edge.running.ending import stopping_on_signals
from sensors.edge.running.process import EdgeProcess
from sensors.edge.sealing.keyhold import load_cipher
from sensors.edge.settings import EdgeSettings
from sensors.messages import Heart, ReadingMessage
from tests.sensors.edge.conftest import FastTime


def remember_a_day(settings: EdgeSettings, times: FastTime) -> None:
    """Put a day of heart rate into the agent's own record."""
    record = OwnRecord(settings.own_path, load_cipher(settings.folder, use_keyring=False))
    now = times.wall_at()
    for minutes in range(600, 5, -5):
        heart = Heart(quality=0.9, hr_bpm=60 + minutes / 30)
        end_at = now - timedelta(minutes=minutes)
        record.add_window(
            ReadingMessage(source="pc", run="a" * 16, seq=0, window_end_at=end_at, heart=heart)
        )
    record.close()


async def main(port: int, state_dir: str, channels: list[str]) -> None:
    settings = EdgeSettings(
        agent="k7",
        source="pc",
        state_dir=state_dir,
        collectors=("simulated",) if channels else (),
        options={"simulated": {"channels": channels}} if channels else {},
        keyring=False,
        backlog_per_s=1000.0,
        resend_after_s=5.0,
    )
    times = FastTime()
    settings.folder.mkdir(parents=True, exist_ok=True)
    remember_a_day(settings, times)
    cipher = load_cipher(settings.folder, use_keyring=False)
    process = EdgeProcess(
        settings,
        BrokerSettings(port=port),
        partial(print, flush=True),
        times,
        companions=companions(settings, cipher),
        cipher=cipher,
    )
    with stopping_on_signals(process.stop):
        await process.run()


def note_instead_of_opening(address: str) -> bool:
    """Stand in for the person's browser."""
    Path(sys.argv[2], "opened").write_text(address, encoding="utf-8")
    return True


if __name__ == "__main__":
    webbrowser.open = note_instead_of_opening
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))

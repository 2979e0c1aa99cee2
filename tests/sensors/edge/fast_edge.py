"""An edge in a process of its own whose windows last half a second: ``PORT STATE_DIR [PROMISED]``.

Into the file PROMISED it writes run, number and end of each window once the
outbox has committed it, in one system call: what stands there was promised,
however the process ends.
"""

import asyncio
import os
import sys

from sensors.config import BrokerSettings
from sensors.edge.companion import Companion
from sensors.edge.running.ending import stopping_on_signals
from sensors.edge.running.process import EdgeProcess
from sensors.edge.settings import EdgeSettings
from sensors.messages import ReadingMessage
from sensors.signals import Channel
from tests.sensors.edge.conftest import FastTime


class Witness(Companion):
    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def take_window(self, message: ReadingMessage) -> None:
        line = f"{message.run} {message.seq} {message.window_end_at.isoformat()}\n"
        os.write(self._file, line.encode())


async def main(port: int, state_dir: str, *promised: str) -> None:
    settings = EdgeSettings(
        agent="k7",
        source="pc",
        state_dir=state_dir,
        collectors=("simulated",),
        options={"simulated": {"channels": ["heart", "keyboard"]}},
        backlog_per_s=1000.0,
        resend_after_s=5.0,
    )
    process = EdgeProcess(
        settings,
        BrokerSettings(port=port),
        print,
        FastTime(),
        companions=[Witness(path) for path in promised],
    )
    process.consent([Channel.HEART])
    with stopping_on_signals(process.stop):
        await process.run()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))

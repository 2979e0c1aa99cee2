"""An edge in a process of its own whose windows last half a second: ``PORT STATE_DIR``."""

import asyncio
import sys

from sensors.config import BrokerSettings
from sensors.edge.process import EdgeProcess, stopping_on_signals
from sensors.edge.settings import EdgeSettings
from sensors.signals import Channel
from tests.sensors.edge.conftest import FastTime


async def main(port: int, state_dir: str) -> None:
    settings = EdgeSettings(
        agent="k7",
        source="pc",
        state_dir=state_dir,
        collectors=("simulated",),
        options={"simulated": {"channels": ["heart", "keyboard"]}},
        backlog_per_s=1000.0,
        resend_after_s=5.0,
    )
    process = EdgeProcess(settings, BrokerSettings(port=port), print, FastTime())
    process.consent([Channel.HEART])
    with stopping_on_signals(process.stop):
        await process.run()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

"""The test rig: real servers on free ports, waiting without sleeping, counting what is missing.

Fixtures (`mosquitto`, `influxd`, …) come from ``tests/conftest.py``; the
helpers here are imported: ``from tests.rig import wait_until, free_port``.
"""

from tests.rig.broker import Mosquitto, Nats
from tests.rig.database import Influxd, VictoriaMetrics
from tests.rig.process import Server, free_port
from tests.rig.waiting import wait_until, wait_until_async

__all__ = [
    "Influxd",
    "Mosquitto",
    "Nats",
    "Server",
    "VictoriaMetrics",
    "free_port",
    "wait_until",
    "wait_until_async",
]

"""Fixtures of the edge's own tests, for the tests of trust."""

from tests.sensors.edge.conftest import run_edge, scripted

__all__ = ["run_edge", "scripted"]

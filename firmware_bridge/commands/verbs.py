"""The verbs of `firmware-bridge`, assembled: each stands in its own module."""

from __future__ import annotations

from firmware_bridge.commands.inspect import inspect
from firmware_bridge.commands.monitor import monitor
from firmware_bridge.commands.ports import ports_
from firmware_bridge.commands.provision import provision_
from firmware_bridge.commands.record import record
from firmware_bridge.commands.replay import replay
from firmware_bridge.commands.run import run
from firmware_bridge.commands.scan import scan
from firmware_bridge.commands.vectors import vectors_
from firmware_bridge.conformance.cli import check
from firmware_bridge.simulation.cli import simulate
from sensors.command_line import plain_app

app = plain_app(
    "For people who build headsets and modules: see, check and record what a board sends.",
    completion=True,
)

app.command("ports")(ports_)
app.command()(scan)
app.command()(inspect)
app.command()(monitor)
app.command()(record)
app.command()(replay)
app.command("provision")(provision_)
app.command()(run)
app.command()(simulate)
app.command()(check)
app.command("vectors")(vectors_)

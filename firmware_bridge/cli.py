"""The `firmware-bridge` command: from a board on the desk to values on the screen.

Its verbs are assembled in :mod:`firmware_bridge.commands.verbs`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; errors become one line on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Here, so that Ctrl-C while it still loads is no error.
        from firmware_bridge.commands.verbs import app_for  # noqa: PLC0415
        from sensors.command_line import run  # noqa: PLC0415

        app = app_for(given, completes="_FIRMWARE_BRIDGE_COMPLETE" in os.environ)
    except KeyboardInterrupt:
        return 130
    return run(app, given, "firmware-bridge")

"""``python -m firmware_bridge`` is the `firmware-bridge` command."""

from firmware_bridge.cli import main

raise SystemExit(main())

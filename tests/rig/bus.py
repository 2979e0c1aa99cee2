"""A message bus of its own (dbus-daemon), for whatever a test puts on it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rig.process import end, find_program

_CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={directory}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def message_bus(directory: Path) -> Iterator[str]:
    """Run dbus-daemon with nothing on it; return its address."""
    program = find_program("dbus-daemon")
    assert program is not None, "dbus-daemon is not installed"
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(directory=directory), encoding="utf-8")
    process = subprocess.Popen(
        [program, f"--config-file={configuration}", "--nofork", "--nopidfile", "--print-address"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stdout is not None
    try:
        # It prints its address once it listens; end of file means it died.
        address = process.stdout.readline().strip()
        assert address, "dbus-daemon did not start"
        yield address
    finally:
        end(process)
        process.stdout.close()

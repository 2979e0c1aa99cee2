"""The `wellbeing` command under a watch: every file that Python opens for writing is noted.

``python -m tests.trust.watched NOTES VERB ...``; faults of the interpreter
itself are reported by faulthandler, as a crash reporter would.
"""

import faulthandler
import os
import sys

import wellbeing

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _watch(notes: int) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & _WRITES):
                return
        elif event in {"sqlite3.connect", "tempfile.mkstemp", "tempfile.mkdtemp"}:
            path = arguments[0]
        else:
            return
        os.write(notes, f"{path}\n".encode(errors="replace"))

    sys.addaudithook(hook)


if __name__ == "__main__":
    faulthandler.enable()
    _watch(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    raise SystemExit(wellbeing.main(sys.argv[2:]))

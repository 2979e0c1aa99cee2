"""A verb of `wellbeing` in the test's own process, where only its words and its code matter."""

import pytest

from wellbeing import main


def one_line(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run ``wellbeing ARGUMENTS`` here; return its exit code and the one line it must be."""
    code = main([str(argument) for argument in arguments])
    printed = capfd.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("wellbeing")
    return code, line

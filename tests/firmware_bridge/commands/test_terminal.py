"""`firmware-bridge` in a real terminal: what is drawn, at any size, and what stays behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.firmware_bridge.driving import COMMAND, ROOT, driven, in_terminal, resize

ALTERNATE, BACK, HIDDEN, SHOWN = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h"


def shows(*words):
    return lambda one: all(any(word in line for line in one.frame) for word in words)


def test_a_live_table_with_plots_is_drawn_and_ctrl_c_puts_everything_back(headset):
    with in_terminal("monitor", "--port", headset.port) as one:
        one.until(shows("ppg", "eda_us", "acc_rms_g", "█", "pulse sensor on"))
        frame = one.frame
        one.press("\x03")  # as a person presses it
        assert one.ended() == 0
    assert len(frame) <= 24
    assert all(len(line) <= 80 for line in frame)
    assert frame[0].startswith(headset.port)
    assert "Agent Wellbeing Simulated headset, firmware 1.0" in frame[0]
    assert "signal" in frame[2]
    assert [line for line in frame if line.strip()][-1].rstrip() == "Ctrl-C ends"
    text = one.text
    assert text.count(ALTERNATE) == text.count(BACK) == 1
    assert text.rindex(SHOWN) > text.rindex(HIDDEN)
    last = one.plain.splitlines()[-1]
    assert "pulse sensor on the skin" in text[text.rindex(BACK) :]  # what was seen last stays
    assert "Traceback" not in last


def test_it_follows_the_size_of_the_window(headset):
    with in_terminal("monitor", "--port", headset.port, columns=100, rows=30) as one:
        one.until(shows("█", "ppg"))
        resize(one._reading, 40, 12)
        one.until(
            lambda this: (
                len(this.frame) <= 12
                and "ppg" in "".join(this.frame)
                and all(len(line) <= 40 for line in this.frame)
            ),
            "a screen of 40 columns",
        )
        assert not any("█" in line for line in one.frame)
        one.until(lambda this: "100" in "".join(this.frame), "the figures, which are kept")
        assert one.end() == 0


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        pytest.param(["--plain"], {}, id="asked for"),
        pytest.param([], {"NO_COLOR": "1"}, id="no colour"),
        pytest.param([], {"TERM": "dumb"}, id="dumb terminal"),
    ],
)
def test_plain_is_whole_lines_of_plain_letters(headset, arguments, env):
    looks = ["--every", "0.2"]
    with in_terminal("monitor", "--port", headset.port, *looks, *arguments, env=env) as one:
        one.until(lambda this: this.text.count(" of 100 per s") >= 2)
        assert one.end() == 0
    assert "\x1b" not in one.text
    assert one.text.isascii()


def test_progress_is_drawn_in_a_terminal_alone_and_is_gone_at_the_end(headset):
    scan = ["scan", "--no-bluetooth", "--port", headset.port]
    with in_terminal(*scan) as one:
        assert one.ended() == 0
    assert "asking serial ports" in one.plain
    assert one.text.rindex(SHOWN) > one.text.rindex(HIDDEN)
    with driven(*scan) as one:
        assert one.ended() == 0
    assert one.text.startswith(f"serial {headset.port}: Agent Wellbeing")


def test_an_error_is_one_line_on_the_shells_own_screen(tmp_path):
    with in_terminal("monitor", "--port", tmp_path / "tty") as one:
        assert one.ended() == 3
    assert ALTERNATE not in one.text
    assert one.plain.count("\n") == 1
    assert "is not there; run: firmware-bridge ports" in one.plain


def test_a_board_that_is_unplugged_leaves_the_terminal_as_it_was(headset):
    with in_terminal("monitor", "--port", headset.port) as one:
        one.until(shows("ppg"))
        headset.unplug()
        assert one.ended() == 3
    assert one.text.index(BACK) < one.text.index("is gone; plug the board in again")
    assert one.text.rindex(SHOWN) > one.text.rindex(HIDDEN)


SHELLS = ["bash", "zsh", "fish"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_told_how_to_complete(shell, tmp_path):
    """`--show-completion` asks which shell it runs in."""
    if shutil.which(shell) is None:
        assert shell != "bash", "bash is not installed"
        env = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
        arguments = ["--show-completion", shell]
    else:
        env, arguments = {}, ["--show-completion"]
    script = f"{sys.executable} -m firmware_bridge {' '.join(arguments)}; exit $?"
    run = [shell, "-c", script] if not env else ["sh", "-c", script]
    shown = subprocess.run(
        run, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "_FIRMWARE_BRIDGE_COMPLETE" in shown.stdout
    assert tmp_path.exists()


def completed(tmp_path, *typed):
    """Return what a real bash completes each of `typed` to, with the script that is installed."""
    program = tmp_path / "firmware-bridge"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    script = f"""
    cd {ROOT}
    eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 firmware-bridge --show-completion bash)"
    completing=$(complete -p firmware-bridge | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    """
    for words in typed:
        script += f"""
    COMP_WORDS=({words})
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    $completing firmware-bridge
    echo "${{COMPREPLY[@]}}"
    """
    shown = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.split() for line in shown.stdout.splitlines()]


def test_bash_completes_verbs_and_options(tmp_path):
    verbs, found = completed(tmp_path, "firmware-bridge re", "firmware-bridge monitor --")
    assert verbs == ["record", "replay"]
    assert {"--port", "--csv", "--plain", "--json", "--stay"} <= set(found)


def test_completion_is_installed_for_the_shell_that_asks(tmp_path):
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(COMMAND)} --install-completion; exit $?"],
        cwd=ROOT,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "completion installed in" in done.stdout
    installed = [path for path in Path(tmp_path).rglob("*") if path.is_file()]
    assert any("FIRMWARE_BRIDGE_COMPLETE" in path.read_text() for path in installed)


@pytest.mark.parametrize(
    ("arguments", "shown", "code"),
    [
        pytest.param(["scan", "--no-bluetooth"], "asking serial ports", 130, id="scan"),
        pytest.param(["inspect"], "asking", 130, id="inspect"),
        pytest.param(["record", "--raw", "raw.bin"], "Ctrl-C ends it", 3, id="record"),
    ],
)
def test_ctrl_c_ends_what_waits_for_a_silent_board(board, tmp_path, arguments, shown, code):
    with in_terminal(*arguments, "--port", board.port, cwd=tmp_path) as one:
        one.until(lambda this: shown in this.plain)
        one.press("\x03")
        assert one.ended() == code
    assert "Traceback" not in one.text
    assert one.text.count(HIDDEN) == one.text.count(SHOWN)

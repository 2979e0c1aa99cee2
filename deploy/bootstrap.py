"""What both commands of the README share: a suitable Python and a virtual environment.

Only the standard library, and a syntax that old interpreters can read, so that
they can say what is wrong instead of failing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
STAMP = "installed.sha256"


class SetupError(Exception):
    """Something that the person at the keyboard must change; the text says what."""


def require_python() -> None:
    """Return when this Python fits; otherwise start again with one that does, or explain."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    found = _suitable_python()
    if found is None:
        raise SetupError(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}; Python 3.11, 3.12 or "
            "3.13 is needed and none was found. Debian, Ubuntu: sudo apt install python3 "
            "python3-venv (or python3.12 python3.12-venv); macOS: brew install python@3.12"
        )
    os.execv(found, [found, *sys.argv])


def _suitable_python() -> str | None:
    """Return the newest interpreter on this machine that fits, or None."""
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        named = shutil.which(f"python3.{minor}")
        installed = Path(pyenv, "versions").glob(f"3.{minor}.*/bin/python3")
        for path in [named, *map(str, installed)]:
            if path and _fits(path):
                return path
    return None


def _fits(path: str) -> bool:
    """Return whether the interpreter really starts (a pyenv shim may not) and fits."""
    question = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-c", question], capture_output=True, text=True, check=False)
    except OSError:
        return False
    parts = done.stdout.split()
    return len(parts) == 2 and OLDEST <= (int(parts[0]), int(parts[1])) <= NEWEST


def python_of(venv: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def program_of(venv: Path, name: str) -> str:
    """Return a console script of a virtual environment."""
    suffix = ".exe" if os.name == "nt" else ""
    return str(python_of(venv).with_name(name + suffix))


def is_ready(name: str, extras: str) -> bool:
    """Return whether the environment `name` already holds what `extras` asks for."""
    venv = ROOT / name
    stamp = venv / STAMP
    return python_of(venv).exists() and stamp.exists() and stamp.read_text() == _fingerprint(extras)


def environment(name: str, extras: str) -> Path:
    """Return the virtual environment `name`, made or renewed when anything has changed.

    Raises
    ------
    SetupError
        If it cannot be made; the text says what to do.
    """
    venv = ROOT / name
    if is_ready(name, extras):
        return venv
    if not python_of(venv).exists():
        _make(venv)
    (venv / STAMP).unlink(missing_ok=True)
    _install(venv, extras)
    (venv / STAMP).write_text(_fingerprint(extras))
    return venv


def _fingerprint(extras: str) -> str:
    """Return what tells one installation from another: versions asked for, place, Python."""
    parts = [extras, str(ROOT), ".".join(map(str, sys.version_info[:2]))]
    parts += [(ROOT / file).read_text() for file in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _make(venv: Path) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    remedy = (
        f"Python {version} cannot make virtual environments here. "
        f"Debian, Ubuntu: sudo apt install python3-venv (or python{version}-venv)"
    )
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships it separately
        import venv as maker  # noqa: PLC0415
    except ImportError:
        raise SetupError(remedy) from None
    try:
        maker.create(venv, with_pip=True, clear=venv.exists())
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(venv, ignore_errors=True)
        raise SetupError(f"cannot make {venv}: {error}. {remedy}") from None


def _install(venv: Path, extras: str) -> None:
    say(f"Installing Python packages into {venv.name} (once; a minute or so) ...")
    command = [str(python_of(venv)), "-m", "pip", "install", "--quiet"]
    # Not compiling what is never imported saves a third of the time.
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]
    command += ["-c", str(ROOT / "constraints.txt"), "-e", f"{ROOT}[{extras}]"]
    log_path = venv / "install.log"
    started = time.monotonic()
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                _show_progress(time.monotonic() - started)
                time.sleep(0.5)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        tail = log_path.read_text(errors="replace").strip().splitlines()[-12:]
        raise SetupError("pip could not install the packages:\n  " + "\n  ".join(tail))
    say(f"Installed in {time.monotonic() - started:.0f} s.")


def _show_progress(elapsed_s: float) -> None:
    if sys.stdout.isatty():
        sys.stdout.write(f"\r  {elapsed_s:3.0f} s \r")
        sys.stdout.flush()


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


def run(main: object) -> None:
    """Call `main` and end the process with its code; a set-up error becomes one message."""
    assert callable(main)
    try:
        code = main()
    except SetupError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)

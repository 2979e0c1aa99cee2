"""What both README commands share: clear words instead of tracebacks, and no needless work."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """Return the module, with a project of its own that has nothing to install."""
    module = _load(ROOT / "deploy" / "bootstrap.py", "bootstrap_under_test")
    (tmp_path / "pyproject.toml").write_text("[project]\nname='x'\nversion='1'\n")
    (tmp_path / "constraints.txt").write_text("")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_an_environment_is_made_once_and_renewed_when_asked_for_something_else(
    bootstrap, tmp_path, monkeypatch
):
    installed = []

    def make(venv):
        bootstrap.python_of(venv).parent.mkdir(parents=True)
        bootstrap.python_of(venv).touch()

    monkeypatch.setattr(bootstrap, "_make", make)
    monkeypatch.setattr(bootstrap, "_install", lambda venv, extras: installed.append(extras))
    assert not bootstrap.is_ready(".venv", "a")
    venv = bootstrap.environment(".venv", "a")
    assert bootstrap.python_of(venv).exists()
    assert bootstrap.is_ready(".venv", "a")
    bootstrap.environment(".venv", "a")
    assert installed == ["a"]
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\n")
    bootstrap.environment(".venv", "a")
    bootstrap.environment(".venv", "a,b")
    assert installed == ["a", "a", "a,b"]


def test_a_failed_installation_shows_why_and_is_tried_again(bootstrap, tmp_path):
    (tmp_path / "pyproject.toml").write_text("this is no TOML")
    with pytest.raises(bootstrap.SetupError, match="pip could not install"):
        bootstrap.environment(".venv", "a")
    assert not bootstrap.is_ready(".venv", "a")


def test_debian_without_venv_is_told_what_to_install(bootstrap, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(bootstrap.SetupError, match="sudo apt install python3-venv"):
        bootstrap.environment(".venv", "a")


def test_an_old_python_is_named_with_the_remedy(bootstrap, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(bootstrap, "_suitable_python", lambda: None)
    with pytest.raises(bootstrap.SetupError, match=r"this is Python 3\.9; Python 3\.11, 3\.12 or"):
        bootstrap.require_python()


def test_an_old_python_hands_over_to_a_newer_one(bootstrap, monkeypatch):
    started = []
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(bootstrap, "_suitable_python", lambda: "/usr/bin/python3.12")
    monkeypatch.setattr(os, "execv", lambda path, argv: started.append((path, argv)))
    bootstrap.require_python()
    assert started == [("/usr/bin/python3.12", ["/usr/bin/python3.12", *sys.argv])]


def test_a_shim_that_does_not_start_is_not_chosen(bootstrap, tmp_path):
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert not bootstrap._fits(str(shim))
    assert not bootstrap._fits(str(tmp_path / "none"))
    assert bootstrap._fits(sys.executable)


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "deploy")
    module = _load(ROOT / "tests" / "run.py", "run_under_test")
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(module, "_is_installed", lambda name: name not in {"mosquitto", "xvfb"})
    monkeypatch.setattr(module, "OF_PYTHON", {})
    monkeypatch.setattr(module, "_is_offered", lambda name: name != "xvfb")
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    module.calls = []

    def call(command, **_):
        module.calls.append(command)
        return 0

    monkeypatch.setattr(module.subprocess, "call", call)
    return module


def test_missing_packages_are_named_and_installed_after_an_update(runner, capsys):
    runner.prepare_system(may_ask=False, may_install=True)
    said = capsys.readouterr().out
    assert "mosquitto" in said
    assert "offers no package xvfb" in said
    assert [c[3] for c in runner.calls] == ["update", "install"]
    assert runner.calls[1][-1] == "mosquitto"


@pytest.mark.parametrize("answer", ["n", "", "nonsense"])
def test_nothing_is_installed_without_a_yes(runner, monkeypatch, capsys, answer):
    monkeypatch.setattr(runner.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    runner.prepare_system(may_ask=True, may_install=True)
    assert runner.calls == []
    assert "counted at the end" in capsys.readouterr().out


def test_a_yes_installs(runner, monkeypatch):
    monkeypatch.setattr(runner.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    runner.prepare_system(may_ask=True, may_install=True)
    assert len(runner.calls) == 2


def test_without_root_or_sudo_it_says_so(runner, monkeypatch, capsys):
    monkeypatch.setattr(runner, "_root_prefix", lambda: None)
    runner.prepare_system(may_ask=False, may_install=True)
    assert runner.calls == []
    assert "neither root nor sudo" in capsys.readouterr().out


def test_without_apt_everything_is_named(runner, monkeypatch, capsys):
    monkeypatch.setattr(runner.shutil, "which", lambda _: None)
    runner.prepare_system(may_ask=False, may_install=True)
    assert runner.calls == []
    said = capsys.readouterr().out
    assert all(package in said for package in runner.PACKAGES)


@pytest.fixture
def whole_run(runner, monkeypatch, tmp_path):
    """Return the runner with nothing to install, and a mypy that says `words` and returns `code`."""
    monkeypatch.setattr(runner, "prepare_system", lambda **_: None)
    monkeypatch.setattr(runner.bootstrap, "is_ready", lambda *_: True)
    monkeypatch.setattr(runner.bootstrap, "environment", lambda *_: tmp_path)
    program = runner.bootstrap.program_of(tmp_path, "mypy")
    Path(program).parent.mkdir(parents=True)

    def run(words, code, *arguments):
        Path(program).write_text(f"#!/bin/sh\necho '{words}'\nexit {code}\n")
        Path(program).chmod(0o755)
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        return runner.main()

    return run


@pytest.mark.parametrize(("code", "words"), [(0, "no issues"), (1, "error: no type")])
def test_types_are_checked_beside_the_tests_and_count(whole_run, runner, capsys, code, words):
    assert whole_run(words, code, "-k", "topics") == code
    assert runner.calls[-1][-2:] == ["-k", "topics"]
    said = capsys.readouterr().out
    assert f"== mypy\n{words}\n" in said
    assert ("FAILED besides pytest: mypy" in said) == bool(code)


def test_a_new_environment_is_compiled_before_there_are_many_processes(
    whole_run, runner, monkeypatch
):
    whole_run("", 0)
    assert not any("--collect-only" in call for call in runner.calls)
    runner.calls.clear()
    monkeypatch.setattr(runner.bootstrap, "is_ready", lambda *_: False)
    whole_run("", 0)
    reading, testing = runner.calls[-2:]
    assert "--collect-only" in reading
    assert "-n" in testing


def test_what_the_tests_start_may_keep_what_it_compiled(whole_run, runner, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    seen = []
    monkeypatch.setattr(runner.subprocess, "call", lambda *_, **__: seen.append(set(os.environ)))
    whole_run("", 0)
    assert seen
    assert all("PYTHONDONTWRITEBYTECODE" not in each for each in seen)


def test_ci_runs_the_test_command():
    text = (ROOT / ".ci" / "run").read_text()
    assert "exec python3 tests/run.py --yes" in text
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    done = subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False)
    assert done.returncode == 0

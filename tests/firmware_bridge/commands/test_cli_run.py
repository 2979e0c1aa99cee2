"""`firmware-bridge run`: a board's values through the real edge to a real Mosquitto."""

import json

import pytest

from firmware_bridge.cli import main
from tests.firmware_bridge.driving import driven
from tests.rig import Mosquitto
from tests.sensors.edge.standin import StandIn


@pytest.fixture
def server(mosquitto: Mosquitto):
    standin = StandIn(mosquitto.port).start()
    yield standin
    standin.stop()


def arguments(port, server, tmp_path, *more):
    return [
        "run",
        *("--port", port),
        *("--agent", "k7"),
        *("--broker", f"127.0.0.1:{server.port}"),
        *("--state-dir", tmp_path / "state"),
        "--no-page",
        *more,
    ]


def values(server, name):
    return [
        window.modules.values[name]
        for window in list(server.windows)
        if window.modules is not None and name in window.modules.values
    ]


@pytest.mark.needs("mosquitto")
def test_a_board_that_speaks_is_published_with_consent(headset, server, tmp_path):
    with driven(*arguments(headset.port, server, tmp_path, "--consent", "modules")) as edge:
        edge.until(lambda _: values(server, "eda_us"), "a window with eda_us")
        assert edge.end() == 0
    assert 3.0 < values(server, "eda_us")[0] < 7.0
    assert all(window.heart is None for window in server.windows)  # nobody allowed it
    assert "may measure: modules" in edge.text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--port", "p", "--agent", "Kim Lee"], "agent is 'Kim Lee'"),
        (["--port", "p", "--agent", "k7", "--csv", "pulse"], "--csv has 'pulse'"),
        (["--port", "socket://x", "--agent", "k7"], "port is 'socket://x'"),
        (["--port", "p"], "--agent"),
    ],
)
def test_mistakes_end_in_one_line(capsys, tmp_path, more, words):
    code = main(["run", *more, "--for", "1", "--state-dir", str(tmp_path)])
    err = capsys.readouterr().err
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_what_the_edge_is_asked_for(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "firmware_bridge.commands.run._edge", lambda given: asked.append(given) or 0
    )
    code = main(
        [
            "run",
            "--port",
            "/dev/ttyACM0",
            "--agent",
            "k7",
            "--csv",
            "ppg,acc",
            "--rate",
            "100",
            "--for",
            "5",
            "--page",
        ]
    )
    assert (code, capsys.readouterr().err) == (0, "")
    (given,) = asked
    options = dict(
        text.split("=", 1) for at, text in enumerate(given) if at and given[at - 1] == "--option"
    )
    assert {name: json.loads(text) for name, text in options.items()} == {
        "serial.port": "/dev/ttyACM0",
        "serial.baud": 115200,
        "serial.csv": ["ppg", "acc_g"],
        "serial.rate_hz": 100.0,
    }
    assert "--page" in given
    assert given[given.index("--for") + 1] == "5.0"

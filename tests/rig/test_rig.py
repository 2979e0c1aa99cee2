"""The rig itself: servers start, keep what they should, come back and go away."""

import os
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.rig import wait_until
from tests.rig.process import answers_tcp
from tests.rig.relay import relay_to

ROOT = Path(__file__).parents[2]


def _client(port, name, *, clean):
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean)
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait_until(client.is_connected)
    return client


def _leave(client):
    client.disconnect()
    client.loop_stop()


def test_mosquitto_keeps_a_session_and_its_queue_across_a_restart(mosquitto):
    subscriber = _client(mosquitto.port, "keeper", clean=False)
    confirmed = []
    subscriber.on_subscribe = lambda *_: confirmed.append(1)
    subscriber.subscribe("t", qos=1)
    wait_until(lambda: confirmed)
    _leave(subscriber)
    sender = _client(mosquitto.port, "sender", clean=True)
    for number in range(1_500):  # beyond Mosquitto's default of 1,000
        info = sender.publish("t", str(number), qos=1)
    info.wait_for_publish(60)
    _leave(sender)

    mosquitto.restart()

    received = []
    again = paho.Client(CallbackAPIVersion.VERSION2, client_id="keeper", clean_session=False)
    again.on_message = lambda _c, _u, message: received.append(int(message.payload))
    again.connect("127.0.0.1", mosquitto.port)
    again.loop_start()
    wait_until(lambda: len(received) >= 1_500)
    _leave(again)
    assert received == list(range(1_500))


def test_a_killed_server_is_gone_and_comes_back_on_its_port(mosquitto):
    port = mosquitto.port
    mosquitto.kill()
    assert not answers_tcp(port)
    mosquitto.start()
    assert mosquitto.port == port
    assert answers_tcp(port)
    mosquitto.stop()
    mosquitto.stop()
    assert not mosquitto.is_running


def test_influxd_keeps_points_across_a_kill(influxd):
    influxd.query("CREATE DATABASE wellbeing")
    body = urllib.request.Request(f"{influxd.url}/write?db=wellbeing", data=b"m v=1.5 1000")
    with urllib.request.urlopen(body) as answer:
        assert answer.status == 204
    influxd.kill()
    influxd.start()
    assert influxd.query("SELECT v FROM m", "wellbeing")[0]["values"] == [[1000, 1.5]]


def test_victoria_metrics_takes_line_protocol_and_gives_it_back(victoria_metrics):
    line = b"m,site=s v=2 1700000000000000000"
    body = urllib.request.Request(f"{victoria_metrics.url}/api/v2/write?bucket=b", data=line)
    with urllib.request.urlopen(body) as answer:
        assert answer.status == 204
    (series,) = wait_until(lambda: victoria_metrics.export('{__name__="m_v"}'))
    assert series["values"] == [2]


def test_nats_speaks_mqtt(nats):
    _leave(_client(nats.port, "someone", clean=True))


@pytest.mark.needs("xdotool")
def test_the_virtual_display_has_a_pointer(xvfb):
    assert os.environ["DISPLAY"] == xvfb.name
    subprocess.run(["xdotool", "mousemove", "10", "20"], check=True, timeout=60)
    found = subprocess.check_output(["xdotool", "getmouselocation"], text=True, timeout=60)
    assert found.startswith("x:10 y:20")


def test_chromium_shows_a_page(chromium):
    chromium.set_content("<button onclick=\"this.textContent='taken'\">take</button>")
    chromium.get_by_role("button").click()
    assert chromium.get_by_role("button").text_content() == "taken"


@pytest.fixture
def inner_run(tmp_path):
    """Run pytest on one test that needs a program nobody has."""
    (tmp_path / "test_inner.py").write_text(
        textwrap.dedent("""
            import pytest

            @pytest.mark.needs("no-such-program")
            def test_it(): pass

            def test_other(): pass
        """)
    )
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")

    options = ["-p", "no:cacheprovider", "-c", os.devnull]
    options += ["-o", "markers=needs(*programs): programs"]

    def run(ci):
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "CI": ci},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_missing_program_is_counted_and_named(inner_run):
    done = inner_run("")
    assert done.returncode == 0, done.stdout
    assert "1 test could not run: missing no-such-program" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_a_missing_program_fails_in_ci(inner_run):
    done = inner_run("true")
    assert done.returncode == 1
    assert "missing no-such-program; CI must have it" in done.stdout
    assert "1 passed, 1 error" in done.stdout


def test_a_relay_lets_through_until_it_is_cut_and_again_once_it_is_mended(mosquitto):
    with relay_to("127.0.0.1", mosquitto.port) as relay:
        for _ in range(2):
            client = _client(relay.port, "far", clean=True)
            relay.cut()
            wait_until(lambda client=client: not client.is_connected())
            assert not answers_tcp(relay.port)
            _leave(client)
            relay.mend()

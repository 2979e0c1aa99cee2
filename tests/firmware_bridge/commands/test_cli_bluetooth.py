"""`firmware-bridge` with Bluetooth headsets: real advertising and GATT on a virtual radio."""

import asyncio
import json
import sys

import pytest

from firmware_bridge.cli import main
from sensors.errors import DeviceError
from tests.sensors.heart_rate.virtual_radio import VirtualRadio
from tests.sensors.heart_rate.watching import WORN


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def on_air(monkeypatch):
    """Put headsets on the air for the next command; return how that is asked for."""

    def air(*headsets, sends=WORN, agrees=True):
        sending = []

        async def open_radio():
            radio = VirtualRadio()
            await radio.start()
            for made in headsets:
                headset = await radio.headset(**made)
                if not agrees:
                    headset.refuse_pairing()
                sending.append(asyncio.create_task(_beat(headset, sends)))
            return radio.radio

        monkeypatch.setattr("firmware_bridge.bench.headsets.open_radio", open_radio)

    return air


async def _beat(headset, data):
    while data is not None:
        await headset.notify(data)
        await asyncio.sleep(0.05)


CLIP = {
    "name": "Clip",
    "information": {
        "manufacturer_name": "Acme",
        "model_number": "Ear clip 2",
        "firmware_revision": "1.4.0",
        "serial_number": "SN-4711",
    },
    "battery": True,
}
ADDRESS = "C4:F2:17:1A:1D:02"  # of the first headset on the virtual radio


def test_scan_lists_headsets_beside_serial_ports(on_air, capsys):
    on_air(CLIP, {"name": "Second"})
    code, out, _ = run(capsys, "scan", "--no-serial", "--seconds", "1")
    assert code == 0
    assert f"bluetooth {ADDRESS}: Clip, heart rate" in out
    assert out.count("bluetooth ") == 2
    on_air(CLIP)
    said = json.loads(run(capsys, "scan", "--no-serial", "--seconds", "1", "--json")[1])
    assert [one["name"] for one in said["bluetooth"]] == ["Clip"]


def test_scan_without_a_radio_or_its_library_says_so_on_one_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sensors.heart_rate.radio", None)
    code, out, err = run(capsys, "scan", "--no-serial")
    assert (code, err) == (0, "")
    assert out.startswith("bluetooth: ")
    assert "is not installed; run: pip install 'agent-wellbeing[ble]'" in out

    async def no_radio():
        raise DeviceError("Bluetooth cannot be used: switched off")

    monkeypatch.setattr("firmware_bridge.bench.headsets.open_radio", no_radio)
    code, out, _ = run(capsys, "scan", "--no-serial")
    assert (code, out) == (0, "bluetooth: Bluetooth cannot be used: switched off\n")


def test_nothing_near(on_air, capsys):
    on_air()
    assert run(capsys, "scan", "--no-serial", "--seconds", "0.5")[1] == (
        "bluetooth: no headset near; switch its heart-rate broadcast on\n"
    )


def test_inspect_lists_services_and_decodes_one_notification(on_air, capsys):
    on_air(CLIP)
    code, out, err = run(capsys, "inspect", "--bluetooth", ADDRESS.lower(), "--seconds", "20")
    assert (code, err) == (0, "")
    for words in (
        f"{ADDRESS}: Clip\n",
        "model         Acme Ear clip 2\n",
        "firmware      1.4.0\n",
        "battery       80 %\n",
        "service       0000180d-0000-1000-8000-00805f9b34fb Heart Rate",
        "00002a37-0000-1000-8000-00805f9b34fb Heart Rate Measurement (notify)",
        "00002a19-0000-1000-8000-00805f9b34fb Battery Level (read, notify)",
        "notification  16480004: 72 beats/min, worn, RR 1000 ms\n",
    ):
        assert words in out
    assert "SN-4711" not in out  # a serial number names one headset, and so one person


def test_inspect_as_json(on_air, capsys):
    on_air(CLIP)
    code, out, _ = run(
        capsys, "inspect", "--bluetooth", ADDRESS, "--unpaired", "--seconds", "20", "--json"
    )
    said = json.loads(out)
    assert (code, said["firmware"], said["battery_percent"]) == (0, "1.4.0", 80)
    assert said["notified"] == {
        "hex": "16480004",
        "hr_bpm": 72,
        "contact": True,
        "rr_ms": [1000.0],
        "fault": "",
    }
    (measurement,) = next(s for s in said["services"] if "180d" in s["uuid"])["characteristics"]
    assert measurement["properties"] == ["notify"]


def test_a_notification_that_is_none_and_one_that_does_not_come(on_air, capsys):
    on_air({"name": "Odd"}, sends=b"\x10\x48\x00")
    out = run(capsys, "inspect", "--bluetooth", ADDRESS, "--seconds", "20")[1]
    assert "notification  104800: heart-rate notification ends within an RR interval" in out
    assert "model         not said" in out
    on_air({"name": "Silent"}, sends=None)
    out = run(capsys, "inspect", "--bluetooth", ADDRESS, "--seconds", "0.3")[1]
    assert "notification  none came; is the headset worn?" in out


def test_a_headset_that_cannot_be_paired_is_not_listened_to_unless_asked(on_air, capsys):
    on_air(CLIP, agrees=False)
    code, _, err = run(capsys, "inspect", "--bluetooth", ADDRESS)
    assert code == 3
    assert "could not be paired" in err
    assert "or give --unpaired to let anybody near read along" in err
    assert err.count("\n") == 1
    on_air(CLIP, agrees=False)
    assert run(capsys, "inspect", "--bluetooth", ADDRESS, "--unpaired", "--seconds", "20")[0] == 0


def test_one_that_is_not_near(on_air, capsys, monkeypatch):
    monkeypatch.setattr("firmware_bridge.commands.inspect._SCAN_S", 0.3)
    on_air(CLIP)
    code, _, err = run(capsys, "inspect", "--bluetooth", "C4:00:00:00:00:00")
    assert code == 3
    assert "C4:00:00:00:00:00 is not near; switch it on" in err
    for arguments in ([], ["--port", "p", "--bluetooth", ADDRESS]):
        code, _, err = run(capsys, "inspect", *arguments)
        assert (code, "takes one of --port and --bluetooth" in err) == (2, True)

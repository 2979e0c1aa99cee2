"""The table of supported devices says what the captures say, and no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_bridge.ports.capture import CaptureWriter, Chunk, Made
from firmware_bridge.support_table import (
    MOST_BYTES,
    Device,
    Driver,
    Origin,
    device_of,
    main,
    put_into,
    read_devices,
    signals_of,
    table,
    write_device,
)
from sensors.errors import ConfigurationError, DeviceError
from tests.firmware_bridge.display.radar import basic

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "fixtures" / "devices"
DEVICES = read_devices(FOLDER)

SIMULATED = next(one for one in DEVICES if one.driver is Driver.SERIAL)
BOARD = Device(
    maker="Acme", model="Board 3", firmware="2.0", link="USB", driver=Driver.CSV,
    origin=Origin.RECORDED, columns=("eda_us", "-"), capture=((0.0, b"x\n3.4,9\n3.5,9\n".hex()),),
)  # fmt: skip


def test_the_page_holds_the_table_of_the_fixtures():
    """After a new fixture, run: python -m firmware_bridge.support_table --write."""
    page = (ROOT / "hardware.md").read_text(encoding="utf-8")
    assert put_into(page, table(DEVICES)) == page


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_every_capture_is_still_read(device):
    assert signals_of(device)
    if device.origin is not Origin.RECORDED:
        assert any(word in device.note for word in ("no hardware", "no physical device"))


def test_each_maker_model_firmware_and_link_once():
    assert len({device.name for device in DEVICES}) == len(DEVICES) >= 2


@pytest.mark.parametrize(
    ("driver", "sent", "gives"),
    [
        pytest.param(Driver.CSV, b"\n3.4,1\n", ("eda_us",), id="lines"),
        pytest.param(Driver.LD2410, basic(1, (80, 40)), ("distance_m", "presence"), id="radar"),
        pytest.param(
            Driver.HEART_RATE, bytes([0b10110, 72, 0, 4]), ("contact", "hr_bpm", "rr_ms"), id="RR"
        ),
        pytest.param(Driver.HEART_RATE, bytes([0, 72]), ("hr_bpm",), id="rate only"),
    ],
)
def test_what_a_device_gives_is_what_decoding_yields(driver, sent, gives):
    assert signals_of(replace(BOARD, driver=driver, capture=((0.0, sent.hex()),))) == gives


@pytest.mark.parametrize(
    ("device", "words"),
    [
        pytest.param(replace(BOARD, capture=()), "nothing in its capture", id="nothing"),
        pytest.param(replace(BOARD, driver=Driver.SERIAL), "never said who it is", id="no hello"),
        pytest.param(
            replace(SIMULATED, model="Other"), "it says Agent Wellbeing Simulated", id="other"
        ),
        pytest.param(
            replace(BOARD, driver=Driver.LD2410, capture=((0.0, basic(9).hex()),)),
            "frames refused",
            id="refused",
        ),
        pytest.param(
            replace(BOARD, driver=Driver.HEART_RATE, capture=((0.0, "16"),)),
            "acme-board-3-2.0-heart-rate: heart-rate notification has 1 bytes",
            id="short notification",
        ),
    ],
)
def test_a_capture_that_is_not_read_is_no_support(device, words):
    with pytest.raises(DeviceError, match=words):
        signals_of(device)


def _capture(path, *pieces):
    with CaptureWriter(path, Made(port="p", baud=1)) as writer:
        for number, data in enumerate(pieces):
            writer.write(Chunk(number * 500_000_000, from_board=True, data=data))
            writer.write(Chunk(number * 500_000_000 + 1, from_board=False, data=b"asked"))
    return path


def test_a_device_is_added_from_a_capture(tmp_path, capsys):
    source = _capture(tmp_path / "session.capture", b"\n3.4,9\n", b"3.5,9\n")
    page = tmp_path / "page.md"
    page.write_text(put_into((ROOT / "hardware.md").read_text(encoding="utf-8"), ""))
    given = ["--add", str(source), "--driver", "csv", "--csv", "eda_us,-", "--maker", "Acme"]
    given += ["--model", "Board 3", "--firmware", "2.0", "--note", "test resistors"]
    given += ["--devices", str(tmp_path), "--page", str(page), "--write"]
    assert main(given) == 0
    row = "| Acme | Board 3 | 2.0 | USB | `eda_us` | recorded; test resistors |"
    assert row in page.read_text()
    (added,) = read_devices(tmp_path)
    assert added.chunks() == [(0.0, b"\n3.4,9\n"), (0.5, b"3.5,9\n")]
    assert main(given) == 2
    assert "acme-board-3-2.0-csv.json exists; a new firmware" in capsys.readouterr().err
    assert main(["--devices", str(tmp_path)]) == 0
    assert row in capsys.readouterr().out


def test_a_bluetooth_headset_is_added_from_its_notifications(tmp_path):
    headset = replace(BOARD, driver=Driver.HEART_RATE, columns=())
    log = tmp_path / "log.txt"
    log.write_text("16 48 00 04\n\n(0x) 16-49-F0-03\n")
    added = device_of(log, headset)
    assert added.capture == ((0.0, "16480004"), (1.0, "1649f003"))
    assert signals_of(added) == ("contact", "hr_bpm", "rr_ms")
    log.write_text("16 48\nvalue: 72 bpm\n")
    with pytest.raises(ConfigurationError, match=r"log\.txt, line 2: expected one notification"):
        device_of(log, headset)
    with pytest.raises(ConfigurationError, match="No such file"):
        device_of(tmp_path / "none", headset)


def test_what_cannot_be_a_fixture_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"maker is 'a\|b'; expected one line"):
        replace(BOARD, maker="a|b")
    with pytest.raises(ConfigurationError, match="20 to 60 s of it will do"):
        device_of(_capture(tmp_path / "long", b"x" * (MOST_BYTES + 1)), BOARD)
    path = write_device(tmp_path, BOARD)
    path.rename(tmp_path / "other.json")
    with pytest.raises(ConfigurationError, match=r"should be called acme-board-3-2\.0-csv\.json"):
        read_devices(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"other\.json"):
        read_devices(tmp_path)
    with pytest.raises(ConfigurationError, match="put them back"):
        put_into("# Hardware\n", "")

"""Ports by name, by USB device and over TCP."""

import socket
import threading

import pytest

from firmware_bridge.ports.serial_port import PortInfo, SerialPort, check_port, choose
from sensors.errors import ConfigurationError, DeviceError
from tests.rig import free_port, wait_until

UNO = PortInfo("/dev/ttyACM0", "Uno", "2341:0043", "8573")
TWIN = PortInfo("/dev/ttyACM1", "Uno", "2341:0043", "9999")
S3 = PortInfo("COM7", "ESP32-S3", "303a:1001", "34:85:18:AA:BB:CC")
UART = PortInfo("/dev/ttyS0")


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def url(server):
    return f"socket://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("port", "name"),
    [
        pytest.param("usb:2341:0043:8573", "/dev/ttyACM0", id="all"),
        pytest.param("usb:9999", "/dev/ttyACM1", id="serial number"),
        pytest.param("USB:303A:1001", "COM7", id="vendor and product"),
        pytest.param("usb:303a:1001:34:85:18:aa:bb:cc", "COM7", id="colons"),
        pytest.param("usb:34:85:18:AA:BB:CC", "COM7", id="colons alone"),
        pytest.param("/dev/ttyACM9", "/dev/ttyACM9", id="the system's name"),
        pytest.param("COM3", "COM3", id="Windows"),
    ],
)
def test_a_board_is_found_by_what_its_usb_device_says(port, name):
    assert choose(port, [UNO, TWIN, S3, UART]) == name


def test_it_is_found_again_under_another_name():
    moved = PortInfo("/dev/ttyACM5", "Uno", "2341:0043", "8573")
    assert choose(UNO.lasting, [TWIN, UNO]) == "/dev/ttyACM0"
    assert choose(UNO.lasting, [TWIN, moved]) == "/dev/ttyACM5"
    assert not UART.lasting


def test_two_that_fit_are_named_and_none_is_taken():
    with pytest.raises(DeviceError, match="fits /dev/ttyACM0, /dev/ttyACM1; add the serial number"):
        choose("usb:2341:0043", [UNO, TWIN])
    with pytest.raises(DeviceError, match="usb:1234 is not there; run: firmware-bridge ports"):
        choose("usb:1234", [UNO, TWIN])


def test_a_usb_name_is_looked_up_when_the_port_is_opened():
    with pytest.raises(DeviceError, match="usb:no-such-board is not there"):
        SerialPort("usb:no-such-board", 115_200)


@pytest.mark.parametrize(
    "port",
    ["", "usb:", "socket://", "socket://host", "socket://host:x", "socket://h:1/x", "socket://:1"],
)
def test_what_cannot_be_a_port(port):
    with pytest.raises(ConfigurationError, match="port is"):
        check_port(port, "--port")


def test_bytes_go_both_ways_over_tcp(server):
    with SerialPort(url(server), 115_200) as port:
        board, _ = server.accept()
        with board:
            board.sendall(b"from the board")
            assert wait_until(port.read, what="bytes") == b"from the board"
            port.write(b"to the board")
            assert board.recv(64) == b"to the board"
            assert port.read() == b""


def test_a_connection_that_ends_is_a_board_that_is_gone(server):
    with SerialPort(url(server), 115_200) as port:
        server.accept()[0].close()
        with pytest.raises(DeviceError, match="is gone; plug the board in again"):
            wait_until(port.read, what="the end")


def test_nobody_there():
    with pytest.raises(DeviceError, match="does not answer"):
        SerialPort(f"socket://127.0.0.1:{free_port()}", 115_200)


def test_a_waiting_read_can_be_ended(server, monkeypatch):
    monkeypatch.setattr("firmware_bridge.ports.serial_port.READ_WITHIN_S", 300.0)
    with SerialPort(url(server), 115_200) as port:
        board, _ = server.accept()
        with board:
            reader = threading.Thread(target=port.read, daemon=True)
            reader.start()
            port.cancel()
            reader.join(60)
            assert not reader.is_alive()


def test_a_board_that_takes_nothing_is_named_so(server, monkeypatch):
    monkeypatch.setattr("firmware_bridge.ports.serial_port.WRITE_WITHIN_S", 0.2)
    with SerialPort(url(server), 115_200) as port:
        board, _ = server.accept()
        with board, pytest.raises(DeviceError, match=r"takes nothing for 0\.2 s"):
            port.write(bytes(50_000_000))

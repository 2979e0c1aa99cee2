"""Real MQTT brokers."""

import getpass
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.rig.process import Server, answers_tcp, find_program, free_port


class Mosquitto(Server):
    """Mosquitto that keeps sessions, queues and retained messages across restarts.

    Parameters
    ----------
    directory : Path
        Where configuration and persistence live.
    passwords : mapping, optional
        User name to password; then nobody else is let in.
    acl : str, optional
        Text of an ACL file.
    extra : sequence of str, optional
        Further lines of the configuration.
    """

    program = "mosquitto"

    def __init__(
        self,
        directory: Path,
        *,
        passwords: Mapping[str, str] | None = None,
        acl: str = "",
        extra: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        self._passwords = dict(passwords or {})
        self._acl = acl
        self._extra = list(extra)

    @property
    def host(self) -> str:
        """Address it listens on."""
        return "127.0.0.1"

    def command(self) -> list[str]:
        """Write the configuration and return the arguments."""
        config = self.directory / "mosquitto.conf"
        config.write_text("\n".join([*self._basics(), *self._access(), *self._extra, ""]))
        return ["-c", str(config)]

    def is_ready(self) -> bool:
        """Return whether it accepts connections."""
        return answers_tcp(self.port)

    def _basics(self) -> list[str]:
        return [
            f"listener {self.port} 127.0.0.1",
            # Started by root it would become `mosquitto`, who cannot write here.
            f"user {getpass.getuser()}",
            "persistence true",
            f"persistence_location {self.directory}/",
            # Written every second and on SIGTERM: `kill` loses up to a second, as in life.
            "autosave_interval 1",
            # By default 1,000 messages are queued and 20 are in flight; what goes beyond is
            # dropped without a word, and withheld acknowledgements stall. 0 is no limit, but
            # queued_messages 0 makes 2.0.11 disconnect whoever publishes what an ACL refuses.
            "max_queued_messages 10000000",
            "max_queued_bytes 0",
            "max_inflight_messages 0",
            "set_tcp_nodelay true",
            "connection_messages true",
            "log_dest stdout",
            "log_type all",
        ]

    def _access(self) -> list[str]:
        lines = [f"allow_anonymous {'false' if self._passwords else 'true'}"]
        if self._passwords:
            path = self.directory / "passwords"
            write_passwords(path, self._passwords)
            lines.append(f"password_file {path}")
        if self._acl:
            path = self.directory / "acl"
            path.write_text(self._acl)
            path.chmod(0o600)
            lines.append(f"acl_file {path}")
        return lines


def write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    """Write a Mosquitto password file, hashed."""
    path.write_text("".join(f"{name}:{word}\n" for name, word in passwords.items()))
    path.chmod(0o600)
    program = find_program("mosquitto_passwd")
    assert program is not None, "mosquitto_passwd is not installed"
    subprocess.run([program, "-U", str(path)], check=True, capture_output=True)


class Nats(Server):
    """NATS with JetStream and its MQTT 3.1.1 door; `port` is the MQTT one."""

    program = "nats-server"

    def __init__(self, directory: Path, *, extra: str = "") -> None:
        super().__init__(directory)
        self.client_port = free_port()
        self._extra = extra

    def command(self) -> list[str]:
        """Write the configuration and return the arguments."""
        config = self.directory / "nats.conf"
        config.write_text(
            f"server_name: rig\nlisten: 127.0.0.1:{self.client_port}\n"
            f'jetstream {{ store_dir: "{self.directory}/jetstream" }}\n'
            f'mqtt {{ host: "127.0.0.1", port: {self.port} }}\n{self._extra}\n'
        )
        return ["-c", str(config)]

    def is_ready(self) -> bool:
        """Return whether both doors are open."""
        return answers_tcp(self.port) and answers_tcp(self.client_port)

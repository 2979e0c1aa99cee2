"""What a broker's certificate is checked with."""

from __future__ import annotations

import ssl

from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError


def context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return what verifies the broker of `settings`: by its own authority, or the system's.

    Raises
    ------
    ConfigurationError
        If `ca_file` cannot be read.
    """
    try:
        made = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"[broker] ca_file is {settings.ca_file!r}; cannot be read: {error}"
        ) from None
    made.sslsocket_class = _Closing
    return made


class _Closing(ssl.SSLSocket):
    """Closed when the handshake fails: paho would leave it to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise

import pytest


@pytest.fixture
def x11(monkeypatch):
    """Run as in an X11 session, whatever session the tests are started from."""
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)

"""Pages drawn by Streamlit itself, and what they say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboard.live import AlertBook, LiveView
from dashboard.resources import Desk
from sensors.errors import BrokerError
from sensors.messages import DecisionMessage
from tests.dashboard.floors import personal

NOW = datetime(2026, 7, 1, 8, 30, 30, tzinfo=UTC)
APP = str(Path(__file__).parents[2] / "dashboard" / "app.py")
ALERT = personal("aaaaaaaa01", "k1", NOW - timedelta(minutes=7))


class Line:
    """A broker's line without a broker: the book is the real one."""

    def __init__(self) -> None:
        self.book = AlertBook(NOW - timedelta(minutes=1))
        self.book.line(connected=True, now=NOW - timedelta(minutes=1))
        self.decided: list[DecisionMessage] = []
        self.told: list[tuple[str, str]] = []
        self.away = False

    def view(self, now: datetime) -> LiveView:
        return self.book.view(now)

    def decide(self, message: DecisionMessage) -> None:
        self._refuse()
        self.decided.append(message)
        self.book.answered(message, self.book.alert(message.alert_id))

    def looked(self, agent: str, by: str, now: datetime) -> None:
        self._refuse()
        self.told.append((agent, by))

    def _refuse(self) -> None:
        if self.away:
            raise BrokerError("the broker is away; nothing was recorded")

    def lose(self) -> None:
        self.away = True
        self.book.line(connected=False, now=NOW - timedelta(seconds=30))


def page(desk: Desk) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=120).run()
    assert not app.exception
    return app


def turn(app: AppTest, path: str) -> AppTest:
    """Follow the link to the page at `path`, as a browser does."""
    (link,) = (one.proto for one in app.get("page_link") if one.proto.page == path)
    app._page_hash = link.page_script_hash  # AppTest.switch_page knows files only
    return app.run()


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]

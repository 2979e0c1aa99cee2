"""The page beside the edge: loaded only when wanted, in trouble without troubling others."""

import asyncio
import sys
import threading

import pytest

from sensors.edge.consent.permission import Permission
from sensors.edge.page import app, server
from sensors.edge.page import companion as page_companion
from sensors.edge.page.companion import AgentPage
from sensors.errors import BrokerError, ConfigurationError, MissingExtraError, StateError
from sensors.messages import NoticeKind
from sensors.signals import Channel
from tests.rig import wait_until_async
from tests.sensors.edge.page.makings import NOW, allowing, mirror, notice, report


class Edge:
    """An edge that only remembers what it was told."""

    def __init__(self, permission: Permission | None = None) -> None:
        self.permission = permission or allowing(Channel.HEART)
        self.channels = (Channel.HEART,)
        self.said: list[str] = []
        self.obeyed: list[tuple[str, ...]] = []

    def now_at(self):
        return NOW

    def say(self, text):
        self.said.append(text)

    def report(self):
        return report()

    async def obey(self, command, words=()):
        self.obeyed.append((command, *words))
        return report()


class Record:
    """A record whose disk may refuse."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses

    def _check(self):
        if self.refuses:
            raise StateError("own record: disk I/O error; mend the disk")

    def notices(self, _limit=200):
        self._check()
        return []

    def mirror(self):
        self._check()
        return mirror()

    def history(self, *_):
        self._check()
        return []

    def last_window(self):
        return None


@pytest.fixture
async def running(tmp_path):
    tasks = []

    async def start(record=None, edge=None):
        page = AgentPage(tmp_path / "page.json", record or Record())
        edge = edge or Edge()
        tasks.append(asyncio.create_task(page.run(edge)))
        await asyncio.sleep(0)
        return page, edge

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_nothing_is_loaded_and_nothing_listens_until_the_page_is_wanted(running):
    page, _ = await running()
    assert page._server is None
    assert "127.0.0.1" in (await page.answer("page", ()))["page"]
    assert page._server is not None
    assert await page.answer("dance", ()) is None
    with pytest.raises(ConfigurationError, match="no further words"):
        await page.answer("page", ("now",))


async def test_without_the_extra_it_says_what_to_install_every_time(running, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "sensors.edge.page.server", raising=False)
    page, edge = await running()
    for _ in range(2):
        with pytest.raises(MissingExtraError, match=r"pip install 'agent-wellbeing\[page\]'"):
            await page.answer("page", ())
    assert [line for line in edge.said if "pip install" in line] == edge.said[-1:]


async def test_without_a_port_it_says_so(running, monkeypatch):
    def refuse(_self):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(AgentPage, "_load", refuse)
    page, edge = await running()
    with pytest.raises(StateError, match="Address already in use"):
        await page.answer("page", ())
    assert "start the edge again" in edge.said[-1]


async def test_a_record_that_cannot_be_read_takes_only_itself_from_the_page(running):
    page, edge = await running(Record(refuses=True))
    await page.answer("page", ())
    page.take_told(notice(NoticeKind.LOOKED, by="ana"))

    async def refuse(*_):
        raise StateError("own record: disk I/O error; mend the disk")

    edge.obey = refuse
    html = await page.html("en", "", is_whole=True)
    assert "cannot be read: own record: disk I/O error" in html
    assert "ana looked at you." in html
    assert "mend the disk" in await _said(page, {"do": "forget", "sure": "yes"})


async def _said(page, form):
    name = await page.do(form, "en")
    html = await page.html("en", name, is_whole=False)
    return html.split('id="said"')[1].split("</p>")[0]


async def test_who_takes_their_data_from_a_disk_that_hangs_holds_up_nothing_else(
    running, monkeypatch
):
    """All that the edge has on its disk shares a few threads, its goodbye too."""
    record, back = Record(), threading.Event()
    page, _ = await running(record)
    monkeypatch.setattr(record, "history", lambda *_: back.wait())
    monkeypatch.setattr(page_companion, "_COLLECTED_WITHIN_S", 0.05)
    try:
        for _ in range(40):
            with pytest.raises(StateError, match="the disk does not answer"):
                await page.data()
        assert sum(t.name == "page data" for t in threading.enumerate()) == 1
        assert await asyncio.to_thread(lambda: 7) == 7
    finally:
        back.set()


async def test_data_that_the_disk_refuses_is_the_disks_matter_and_no_fault_of_the_page(running):
    page, edge = await running(Record(refuses=True))
    answer = await app._data(page)(None)
    assert (answer.status_code, answer.body) == (
        503,
        b"own record: disk I/O error; mend the disk\n",
    )
    assert not [line for line in edge.said if "report it" in line]


async def test_what_comes_from_others_is_text_and_never_markup(running):
    page, _ = await running()
    await page.answer("page", ())
    html = await page.html('"><script>', '"><script>', is_whole=True)
    assert "<script>" not in html
    assert "&lt;b&gt;" in await _said(page, {"do": "withdraw", "channel": "<b>"})


async def test_what_is_told_once_is_shown_once_and_many_answers_do_not_gather(running):
    page, edge = await running()
    await page.answer("page", ())
    names = [await page.do({"do": "pause"}, "en") for _ in range(40)]
    assert edge.obeyed == [("pause",)] * 40
    first = await page.html("en", names[0], is_whole=False)
    last = await page.html("en", names[-1], is_whole=False)
    assert "Paused. Nothing is read" in last
    assert "Paused. Nothing is read" not in first


async def test_a_disk_that_refuses_does_not_undo_what_was_asked(running, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_companion.memory, "save", refuse)
    page, edge = await running()
    await page.answer("page", ())
    edge.obey = _arriving_at(page)
    assert "Sent" in await _said(page, {"do": "help_now"})
    await wait_until_async(lambda: "No space left" in edge.said[-1])


def _arriving_at(page):
    async def obey(command, words):
        page.take_said(command, words)  # as the edge does once it arrived
        return {"text": "Sent: you ask for help now."}

    return obey


async def test_in_private_mode_the_page_names_no_supervisor_and_no_server(tmp_path):
    page = AgentPage(tmp_path / "page.json", Record(), is_private=True)
    task = asyncio.create_task(page.run(Edge()))
    await asyncio.sleep(0)
    await page.answer("page", ())
    asked = notice(NoticeKind.WAS_IT_SO, alert_id="alert001")
    told = notice(NoticeKind.ALERT_TOLD, 9, alert_id="alert001")
    for message in (told, asked, mirror(evidence=1.0, threshold=2.0)):
        page.take_told(message)
    html = await page.html("en", "", is_whole=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "Evidence 1; from 2 on you are told." in html
    assert "You were told at" in html
    for word in ("supervisor", "server", "Help now", "Break please"):
        assert word not in html, word


async def test_nothing_listens_once_it_ended_while_it_was_loading(tmp_path, monkeypatch):
    """Loading takes a second on a slow machine, and goes on in its thread."""
    loads, goes_on, made = threading.Event(), threading.Event(), []
    load, listen = AgentPage._load, server.PageServer.__init__

    def slowly(page):
        loads.set()
        goes_on.wait(60)
        return load(page)

    monkeypatch.setattr(AgentPage, "_load", slowly)
    monkeypatch.setattr(server.PageServer, "__init__", lambda *a: made.append(a) or listen(*a))
    page = AgentPage(tmp_path / "page.json", Record())
    task = asyncio.create_task(page.run(Edge()))
    page._wanted.set()
    assert await asyncio.to_thread(loads.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()  # the thread has come back
    assert not made


async def test_an_error_of_the_page_itself_is_one_line_once(running):
    page, edge = await running()
    for _ in range(3):
        page.failed(ZeroDivisionError("a bug"))
    assert [line for line in edge.said if "ZeroDivisionError" in line] == edge.said[-1:]


@pytest.mark.parametrize("desktop", [True, False])
async def test_it_opens_only_for_who_was_never_asked_and_only_on_a_desktop(
    running, monkeypatch, desktop
):
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(page_companion, "has_desktop", lambda: desktop)
    monkeypatch.setattr(page_companion, "open_beside", lambda _address: loop.call_soon(opened.set))
    _, asked = await running()
    assert "to open it" in asked.said[0]
    page, edge = await running(edge=Edge(Permission()))
    if desktop:
        await asyncio.wait_for(opened.wait(), 60)
        assert edge.said == ["opening your own page in the browser"]
    else:
        assert page._server is None
        assert "to open it" in edge.said[0]


async def test_what_is_known_of_a_device_stands_below_what_is_read(running):
    page, edge = await running()
    await page.answer("page", ())
    edge.report = lambda: report(device_of={"heart": "headset H10, battery 80 %"})
    html = await page.html("en", "", is_whole=False)
    assert "headset H10, battery 80 %" in html.partition('id="what-heart"')[0]


async def test_what_was_not_confirmed_is_not_said_to_have_reached_nobody(running):
    async def refuse(*_):
        raise BrokerError("the broker did not confirm within 5 s")

    page, edge = await running()
    await page.answer("page", ())
    edge.obey = refuse
    assert "Nobody confirmed that this arrived." in await _said(page, {"do": "help_now"})
    edge.report = lambda: report(connected=False)
    assert "This reached nobody" in await _said(page, {"do": "help_now"})


async def test_what_was_answered_is_erased_with_the_history(running):
    page, edge = await running()
    await page.answer("page", ())
    edge.obey = _arriving_at(page)
    await page.do({"do": "answer", "answer": "was_it_so no", "alert": "alert001"}, "en")
    assert b"alert001" in await page.data()
    asked = []

    async def obey(*words):
        asked.append(words)
        return {**report(), "text": "Erased on this machine."}

    edge.obey = obey
    assert "Erased on this machine." in await _said(page, {"do": "forget", "sure": "yes"})
    assert asked == [("forget", ())]
    await page.forget()  # as the edge has every companion do
    assert b"alert001" not in await page.data()

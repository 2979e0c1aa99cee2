"""Claiming a headset: over the virtual radio, and as the command a person runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from sensors.command_line import run
from sensors.edge.commands.edge import app
from sensors.edge.consent.file import ConsentFile
from sensors.edge.settings import EdgeSettings
from sensors.errors import ConfigurationError, DeviceError
from sensors.heart_rate import claim as claim_rules
from sensors.heart_rate import claiming
from sensors.heart_rate.claimed import Claimed, ClaimFile
from sensors.heart_rate.claiming import Claiming
from sensors.heart_rate.settings import HeartRateSettings
from sensors.signals import Channel
from tests.rig import wait_until_async

ON, OFF, MUTE = bytes([0b00110, 72]), bytes([0b00100, 0]), bytes([0, 72])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three seconds pass in a fraction of one."""
    monkeypatch.setattr(claim_rules, "OFF_AT_LEAST_S", 0.15)
    monkeypatch.setattr(claim_rules, "SETTLE_S", 0.2)
    monkeypatch.setattr(claiming, "_GATHER_S", 2.0)
    monkeypatch.setattr(claiming, "_TICK_S", 0.02)


class Desk:
    """A claim that runs, and what each headset says ten times a second."""

    def __init__(self, radio, says: dict) -> None:
        self.says = says
        self.lines: list[str] = []
        self._radio = radio

    async def claim(self, patience_s: float = 20.0, **options) -> Claimed:
        settings = HeartRateSettings(
            **{"allow_unencrypted": True, "scan_s": 0.6, "connect_s": 5.0} | options
        )
        talks = [asyncio.create_task(self._talk(headset)) for headset in self.says]
        try:
            return await Claiming(self._radio.radio, settings, self.lines.append).run(patience_s)
        finally:
            for talk in talks:
                talk.cancel()
            await asyncio.wait(talks)

    async def _talk(self, headset) -> None:
        while True:
            if data := self.says[headset]:
                await headset.notify(data)
            await asyncio.sleep(0.05)

    async def hears(self, words: str) -> None:
        await wait_until_async(lambda: any(words in line for line in self.lines), what=words)


async def test_the_headset_that_is_taken_off_is_claimed_among_two_of_one_name(radio):
    one, mine = await radio.headset(), await radio.headset()
    desk = Desk(radio, {one: ON, mine: ON})
    claimed = asyncio.create_task(desk.claim())
    await desk.hears("take your headset off for three seconds")
    desk.says[mine] = OFF
    await desk.hears("one headset is off")
    await asyncio.sleep(0.4)  # it is off for a while; nothing happens that could be waited for
    desk.says[mine] = ON
    assert await claimed == Claimed(address=mine.address, name="Headset")
    await wait_until_async(lambda: not one.connections + mine.connections, what="both are let go")
    assert one.was_encrypted == mine.was_encrypted == [False]  # a neighbour's is never paired


async def test_one_that_cannot_tell_is_named_and_another_can_still_be_claimed(radio):
    mute, mine = await radio.headset("Mute"), await radio.headset("Mine")
    desk = Desk(radio, {mute: MUTE, mine: ON})
    claimed = asyncio.create_task(desk.claim())
    await desk.hears("take your headset off")
    assert f"cannot be claimed: Mute ({mute.address})" in "\n".join(desk.lines)
    desk.says[mine] = OFF
    await desk.hears("one headset is off")
    await asyncio.sleep(0.4)
    desk.says[mine] = ON
    assert (await claimed).address == mine.address


async def test_only_headsets_that_cannot_tell_say_what_to_do_instead(radio):
    mute = await radio.headset("Mute")
    with pytest.raises(DeviceError, match="wellbeing edge claim --address ADDRESS") as error:
        await Desk(radio, {mute: MUTE}).claim()
    assert mute.address in str(error.value)


async def test_one_that_sends_nothing_does_not_hold_up_the_others(radio):
    silent, mine = await radio.headset("Silent"), await radio.headset("Mine")
    desk = Desk(radio, {silent: None, mine: ON})
    claimed = asyncio.create_task(desk.claim())
    await desk.hears("Silent")
    await desk.hears("it sends nothing")
    await desk.hears("take your headset off")
    desk.says[mine] = OFF
    await desk.hears("one headset is off")
    await asyncio.sleep(0.4)
    desk.says[mine] = ON
    assert (await claimed).address == mine.address


async def test_nobody_takes_theirs_off(radio):
    one = await radio.headset()
    with pytest.raises(DeviceError, match="no headset was taken off and put on again"):
        await Desk(radio, {one: ON}).claim(patience_s=0.5)


async def test_no_headset_at_all(radio):
    with pytest.raises(DeviceError, match="no headset is near; switch yours on"):
        await Claiming(
            radio.radio, HeartRateSettings(allow_unencrypted=True, scan_s=0.2), print
        ).run(1.0)


async def test_unpaired_headsets_are_listened_to_only_where_allowed(radio):
    headset = await radio.headset()
    with pytest.raises(ConfigurationError, match="allow_unencrypted = true, or pair yours"):
        await Claiming(radio.radio, HeartRateSettings(), print).run(1.0)
    assert not headset.connections


# The command.


def test_an_address_is_claimed_kept_and_forgotten(tmp_path, capsys):
    settings = EdgeSettings(agent="k7", state_dir=str(tmp_path))

    def edge(*arguments: str) -> tuple[int, str]:
        before = ["--state-dir", str(tmp_path), "--agent", "k7"]
        code = run(app, [*before, *arguments], "wellbeing edge")
        told = capsys.readouterr()
        return code, told.out + told.err

    code, told = edge("claim", "--address", "C4:F2:17:1A:1D:02")
    assert code == 2
    assert "heart is not allowed" in told
    assert not settings.claim_path.exists()

    ConsentFile(settings.consent_path).change(
        lambda allowed: allowed.consenting([Channel.HEART], datetime.now(UTC))
    )
    code, told = edge("claim", "--address", "C4:F2:17:1A:1D:02")
    assert (code, "C4:F2:17:1A:1D:02" in told) == (0, True)
    assert ClaimFile(settings.claim_path).load() == Claimed(address="C4:F2:17:1A:1D:02")
    assert settings.options_of("heart_rate")["claim_path"] == str(settings.claim_path)

    code, told = edge("claim")
    assert code == 2
    assert "allow_unencrypted = true" in told

    code, told = edge("--option", "heart_rate.address=AA", "claim", "--address", "BB")
    assert code == 2
    assert "[edge.options.heart_rate] address is 'AA'" in told

    assert edge("claim", "--forget")[0] == 0
    assert ClaimFile(settings.claim_path).load() is None


def test_a_damaged_claim_is_not_guessed_at(tmp_path):
    path = tmp_path / "headset.json"
    path.write_bytes(b"{")
    with pytest.raises(RuntimeError, match=r"headset.json is damaged; run: wellbeing edge claim"):
        ClaimFile(path).load()
    path.write_bytes(b'{"address": "AA", "file_version": 2}')
    with pytest.raises(RuntimeError, match="newer version"):
        ClaimFile(path).load()

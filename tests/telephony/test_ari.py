"""The REST client: credentials, limits, and no request is ever sent twice."""

import asyncio
from contextlib import nullcontext

import pytest
from aiohttp import web

from ivr.telephony.ari import Ari
from ivr.telephony.errors import (
    AnswerLate,
    BadCredentials,
    ChannelGone,
    NothingThere,
    PbxFailed,
    PbxUnreachable,
    Refused,
)
from tests.fakes.asterisk import PASSWORD, USER, FakeAsterisk, FakeChannel


async def test_the_pbx_answers(ari: Ari, pbx: FakeAsterisk) -> None:
    await ari.ping()
    assert pbx.done == ["ping"]


async def test_the_address_may_name_the_interface_itself(pbx: FakeAsterisk) -> None:
    async with Ari(pbx.url + "/ari/", USER, PASSWORD) as ari:
        await ari.ping()


async def test_a_wrong_password_is_told_as_such(pbx: FakeAsterisk) -> None:
    async with Ari(pbx.url, USER, "wrong") as ari:
        with pytest.raises(BadCredentials, match=r"ari\.conf"):
            await ari.ping()
        with pytest.raises(BadCredentials):
            await ari.listen("saldo")


async def test_the_password_is_in_no_address(ari: Ari, pbx: FakeAsterisk) -> None:
    socket = await ari.listen("saldo")
    await ari.channels()
    await socket.close()
    assert pbx.urls
    assert not [url for url in pbx.urls if PASSWORD.split()[0] in url or "api_key" in url]


async def test_nobody_there_says_where_we_looked() -> None:
    async with Ari("http://127.0.0.1:1", USER, PASSWORD) as ari:
        with pytest.raises(PbxUnreachable, match=r"127\.0\.0\.1:1/ari .* is it running\?"):
            await ari.ping()


async def test_what_is_no_pbx_is_told_as_such(ari: Ari, pbx: FakeAsterisk) -> None:
    with pytest.raises(PbxUnreachable, match=r"asterisk\.url"):
        async with Ari(pbx.url + "/wrong", USER, PASSWORD) as wrong:
            await wrong.listen("saldo")


async def test_a_client_that_was_not_opened_says_so() -> None:
    with pytest.raises(PbxUnreachable, match="async with"):
        await Ari("http://127.0.0.1:1", USER, PASSWORD).ping()


async def test_a_channel_that_is_gone_is_an_error_of_its_own(ari: Ari) -> None:
    for request in (
        ari.channel("1"),
        ari.answer("1"),
        ari.hang_up("1"),
        ari.move("1", "a", ["b"]),
        ari.continue_in_dialplan("1", "agents", "queue"),
        ari.play("1", "p", ["sound:beep"]),
    ):
        with pytest.raises(ChannelGone):
            await request


async def test_a_channel_of_the_dial_plan_refuses_orders(ari: Ari, pbx: FakeAsterisk) -> None:
    pbx.channels["1"] = FakeChannel("1", app="")
    with pytest.raises(Refused, match="Channel not in Stasis") as refused:
        await ari.answer("1")
    assert refused.value.status == 409


@pytest.mark.parametrize(("refusals", "asked"), [(2, 3), (9, 4)])
async def test_a_playback_that_is_just_starting_is_stopped_at_the_next_try(
    ari: Ari, pbx: FakeAsterisk, refusals: int, asked: int
) -> None:
    pbx.channels["1"] = FakeChannel("1", app="saldo", playing=["p"])
    left = iter(range(refusals))

    async def not_yet() -> None:
        if next(left, None) is not None:
            raise web.HTTPInternalServerError

    pbx.before["stop_playback"] = not_yet
    with nullcontext() if refusals < asked else pytest.raises(PbxFailed, match="500"):
        await ari.stop_playback("p")
    assert pbx.done.count("stop_playback") == asked


async def test_a_slow_answer_is_given_up_and_not_asked_again(pbx: FakeAsterisk) -> None:
    pbx.channels["1"] = FakeChannel("1", app="saldo")

    async def too_long() -> None:
        await asyncio.sleep(0.3)

    pbx.before["play"] = too_long
    async with Ari(pbx.url, USER, PASSWORD, answer_seconds=0.1) as ari:
        with pytest.raises(AnswerLate, match=r"did not answer play within 0\.1 s"):
            await ari.play("1", "p", ["sound:beep"])
        await asyncio.sleep(0.4)
        assert pbx.done == ["play 1 sound:beep"]


async def test_stopping_what_is_over_is_harmless(ari: Ari) -> None:
    await ari.stop_playback("long gone")
    assert not await ari.is_playing("long gone")


async def test_an_application_is_there_or_it_is_not(ari: Ari, pbx: FakeAsterisk) -> None:
    assert await ari.application("saldo") is None
    pbx.channels["1"] = FakeChannel("1", app="saldo")
    found = await ari.application("saldo")
    assert found is not None
    assert found.channel_ids == {"1"}
    assert [one.name for one in await ari.applications()] == ["saldo"]


async def test_a_message_to_nobody_is_an_error(ari: Ari) -> None:
    with pytest.raises(NothingThere):
        await ari.user_event("Anything", "nobody", {})


async def test_an_odd_id_cannot_leave_its_place_in_the_address(ari: Ari, pbx: FakeAsterisk) -> None:
    with pytest.raises(ChannelGone):
        await ari.hang_up("../channels/1?reason=busy")
    assert pbx.done == ["hang_up ../channels/1?reason=busy"]

"""A caller whom an agent sends to the payment line, and who comes back with the result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.lab.lab import Lab
from ivr.settings import load
from ivr.telephony.ari import Ari
from tests.e2e.callers import CARD, calling, enters_the_secure_part, hears, identifies, rows, until
from tests.e2e.conftest import a_lab
from tests.telephony.agents_telephone import AgentsTelephone, agents_telephone

ACCOUNT = "1083"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Its own: other calls expect that nobody has paid this invoice."""
    with a_lab() as (_, running):
        yield running


async def pays(lab: Lab, agent: AgentsTelephone) -> None:
    """And is put through to that very agent, who reads the result."""
    headers = {"X-Saldo-Back": str(agent.port), "X-Saldo-Handoff": "case-7"}
    async with calling(lab, "+447700900171", headers) as phone:
        await identifies(phone, ACCOUNT, "28027")
        await enters_the_secure_part(phone)
        await phone.press(f"{CARD}#1230123")
        await until(lambda: a_card_is_there(lab))
        await asyncio.sleep(0.5)
        await phone.press("1")  # before the whole question was said
        await hears(phone, "paid", within=40)
        await phone.press("2")
        await hears(phone, "back_to_agent")
        told, shown, caller = await agent.called()
        await asyncio.wait_for(agent.answered.wait(), 5)
        assert await talk_with_each_other(lab)
        said = {each.phrase_id for each in phone.heard.heard}
    (attempt,) = await rows(
        lab,
        "select amount, currency, confirmation from attempts join customers c"
        " on c.id = customer_id where c.account_number = $1 and state = 'captured'",
        ACCOUNT,
    )
    amount = f"{attempt['amount']:.2f} {attempt['currency']}"
    assert told == {
        "X-Saldo-Result": "paid",
        "X-Saldo-Paid": amount,
        "X-Saldo-Confirmation": attempt["confirmation"],
        "X-Saldo-Handoff": "case-7",
    }
    assert shown == f"paid {amount} {attempt['confirmation']}"
    assert caller == "+447700900171"
    assert not said & {"goodbye", "goodbye_paid", "transferring"}


async def is_not_recognised(lab: Lab, agent: AgentsTelephone) -> None:
    """And comes back all the same; that agent is engaged by now, and the queue has another one."""
    async with calling(lab, "+447700900172", {"X-Saldo-Back": str(agent.port)}) as phone:
        await hears(phone, "welcome")
        await phone.press("9999#00000" * 3)
        await hears(phone, "back_to_agent", within=40)
        told, shown, _ = await agent.called()
        assert (told, shown) == ({"X-Saldo-Result": "agent"}, "agent")
        await hears(phone, "lab_agent", within=40)


async def a_card_is_there(lab: Lab) -> bool:
    """Whether the secure part has given the caller back, who is now asked whether to pay."""
    found = await rows(
        lab,
        "select from captures join calls on calls.id = call_id"
        " where calls.caller = '+447700900171' and captures.result = 'success'",
    )
    return bool(found)


async def talk_with_each_other(lab: Lab) -> bool:
    """Whether the PBX has put a caller and the agent's telephone together."""
    asterisk = load(Path(lab.config)).asterisk
    async with Ari(asterisk.url, asterisk.user, asterisk.password.get_secret_value()) as ari:
        names = {each.id: each.name.partition("-0")[0] for each in await ari.channels()}
        talks = [{names[one] for one in bridge.channel_ids} for bridge in await ari.bridges()]
    return {"PJSIP/trunk", "PJSIP/lab-agent"} in talks


async def test_an_agent_gets_the_caller_back_with_the_result(lab: Lab) -> None:
    async with agents_telephone(answers=True) as waiting, agents_telephone() as engaged:
        await asyncio.gather(pays(lab, waiting), is_not_recognised(lab, engaged))
    outcomes = await rows(
        lab, "select outcome from calls where caller in ('+447700900171', '+447700900172')"
    )
    assert sorted(row["outcome"] for row in outcomes) == ["agent", "paid"]

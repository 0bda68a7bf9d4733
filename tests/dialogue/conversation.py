"""A scripted call: the real conversation over a fake line, voice and company, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from ivr.billing.calls import CallOutcome
from ivr.billing.keeping import Keeping
from ivr.billing.paying import Paying
from ivr.billing.payments import PayResult
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.flows.inbound import inbound
from ivr.dialogue.running import run
from tests.dialogue.company import Company
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
from tests.fakes.voice import FakeVoice

KNOWN: Script = [("ask_account_number", "1042#"), ("ask_postal_code", "28013#")]
PAYS_ONE: Script = [
    *KNOWN,
    ("pay_one_or_leave", "1"),
    ("confirm_charge", "1"),
    ("repeat_or_end", "2"),
]


@dataclass
class Conversation:
    """A call that has ended, and all it left behind."""

    outcome: CallOutcome
    line: FakeLine
    call: Call
    company: Company

    @property
    def phrases(self) -> list[str]:
        return self.line.phrases


def a_desk(
    company: Company, charges: set[asyncio.Task[PayResult]], postal_code_length: int = 0
) -> Desk:
    """A desk whose charges run in tasks of the app, kept in `charges`."""

    def spawn(work: Coroutine[Any, Any, PayResult]) -> asyncio.Task[PayResult]:
        task = asyncio.create_task(work)
        charges.add(task)
        return task

    paying = Paying(company.ledger, company.gateway, spawn, company.limiting)
    brands = ("visa", "mastercard")
    return Desk(
        company.directory,
        company.invoices,
        company.captures,
        paying,
        brands,
        postal_code_length,
        company.names,
        keeping=Keeping(company.cards, company.gateway),
        keep_cards=company.keeps_cards,
        terms=company.terms,
        limiting=company.limiting,
        promising=company.promising,
        links=company.links,
        outbox=company.outbox,
        for_another=company.for_another,
        mandating=company.mandating,
        methods=company.methods,
    )


async def converse(
    company: Company,
    script: Script = (),
    *,
    line: FakeLine | None = None,
    voice: FakeVoice | None = None,
    whole_script: bool = True,
    postal_code_length: int = 0,
    ears: ScriptedEars | None = None,
) -> Conversation:
    """Hold the whole inbound call; fails when a task is left behind."""
    before = asyncio.all_tasks()
    line = line or FakeLine(script)
    line.secure_part = line.secure_part or company.secure_part
    call = Call(line, voice or FakeVoice(), "en", ears)
    charges: set[asyncio.Task[PayResult]] = set()
    desk = a_desk(company, charges, postal_code_length)
    outcome = await run(call, lambda call: inbound(call, desk))
    await asyncio.gather(*charges)
    if whole_script and not line.gone:
        assert line.script == [], f"not heard: {line.script} in {line.phrases}; {call.failures}"
    await line.quiet()
    assert asyncio.all_tasks() == before
    if ears is not None:
        assert ears.open == 0, "somebody is still listened to"
    return Conversation(outcome, line, call, company)

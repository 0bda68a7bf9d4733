"""PayPal in a call: a link is sent, and the call hears it when the payment is made."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ivr.billing.calls import CallOutcome
from ivr.billing.fees import Fee, Fees
from ivr.billing.links import LinkPurpose
from ivr.billing.messages import ToCustomer
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import AttemptState
from ivr.billing.terms import Terms
from ivr.dialogue.call import Call
from ivr.dialogue.flows.inbound import inbound
from ivr.dialogue.running import run
from tests.dialogue.company import SMITH, Company, invoice
from tests.dialogue.conversation import KNOWN, a_desk
from tests.fakes.line import FakeLine, Script
from tests.fakes.links import FakeLinks, FakeOutbox, news
from tests.fakes.voice import FakeVoice

WITH_PAYPAL: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("method_paypal", "2")]
ENDS: Script = [("repeat_or_end", "2")]
CAPTURED = news(AttemptState.CAPTURED)


class PayPalCall:
    """A call in which PayPal is chosen."""

    def __init__(self, script: Script, links: FakeLinks | None = None) -> None:
        self.company = Company(invoice(7, "42.50"))
        self.company.rows.with_phone.add(SMITH.id)
        self.company.rows.with_mail.add(SMITH.id)
        self.links = links or FakeLinks()
        self.outbox = FakeOutbox()
        self.line = FakeLine(script)
        self.line.secure_part = self.company.secure_part

    async def hold(
        self, wait_seconds: float = 300, ways: frozenset[ToCustomer] = frozenset(("text", "mail"))
    ) -> CallOutcome:
        """The whole call; fails when a task is left behind or something was not heard."""
        before = asyncio.all_tasks()
        desk = replace(
            a_desk(self.company, set()),
            methods=(Method.CARD, Method.PAYPAL),
            links=self.links,
            outbox=self.outbox,
            link_wait_seconds=wait_seconds,
            ways=ways,
        )
        self.call = Call(self.line, FakeVoice(), "en", None)
        outcome = await run(self.call, lambda call: inbound(call, desk))
        await self.line.quiet()
        assert asyncio.all_tasks() == before
        if not self.line.gone:
            assert self.line.script == [], (self.line.script, self.line.phrases)
        return outcome

    def at(self, phrase: str) -> float:
        """When it was first said."""
        return next(each.at for each in self.line.heard if each.said.phrase == phrase)


async def test_the_call_hears_the_payment_and_reads_the_receipt() -> None:
    links = FakeLinks()
    links.comes = [(60.0, news(AttemptState.CHARGING)), (62.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    assert await held.hold() is CallOutcome.PAID
    heard = held.line.phrases
    told = ["paypal_link_sent", "paypal_waiting", "paid", "service_back", "confirmation_number"]
    places = [heard.index(phrase) for phrase in told]
    assert places == sorted(places)
    assert held.call.receipts[0].confirmation == "12345678"
    assert held.company.attempts == []  # the page opens its own


async def test_the_waiting_is_hushed_as_soon_as_the_payment_is_there() -> None:
    links = FakeLinks()
    links.comes = [(40.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    await held.hold()
    assert held.at("paid") < 41.0


async def test_the_fee_is_said_before_the_link_is_sent() -> None:
    links = FakeLinks()
    links.comes = [(40.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    held.company.terms = Terms(fees=Fees({Method.PAYPAL: Fee(flat={"EUR": Money.of(1, "EUR")})}))
    await held.hold()
    assert held.line.said("fee_added").values == "amount=42.50 EUR fee=1.00 EUR"
    assert held.line.said("paypal_link_sent").values == "amount=43.50 EUR"
    assert held.at("fee_added") < held.at("paypal_link_sent")


async def test_the_link_goes_to_the_caller_by_text_and_by_mail() -> None:
    links = FakeLinks()
    links.comes = [(30.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    await held.hold()
    (link,) = links.made
    assert (link.customer_id, link.invoice_ids, link.call_id) == (SMITH.id, (7,), "call-1")
    assert link.purpose is LinkPurpose.PAYPAL
    text, mail = held.outbox.told
    assert (text.topic, text.kind, text.to) == ("text", "paypal-link", "+34600111222")
    assert (mail.topic, mail.kind, mail.until) == ("mail", "paypal-link", link.expires_at)
    assert text.ids["url"] == mail.ids["url"] == link.url


async def test_who_does_not_want_to_wait_goes_on_and_pays_by_card() -> None:
    to_the_card: Script = [("pay_one_or_leave", "1"), ("method_card", "1"), ("confirm_charge", "1")]
    held = PayPalCall([*WITH_PAYPAL, ("paypal_waiting", "1"), *to_the_card, *ENDS])
    assert await held.hold() is CallOutcome.PAID
    assert "link_stays" in held.line.phrases
    assert len(held.company.charged) == 1


async def test_a_caller_who_hangs_up_keeps_the_link() -> None:
    held = PayPalCall([*WITH_PAYPAL, ("paypal_waiting", "hangs up")])
    assert await held.hold() is CallOutcome.HUNG_UP
    assert len(held.outbox.told) == 2


async def test_the_waiting_has_an_end() -> None:
    held = PayPalCall([*WITH_PAYPAL, ("link_not_used", ""), ("pay_one_or_leave", "hangs up")])
    await held.hold(wait_seconds=45)
    assert 45 <= held.at("link_not_used") - held.at("paypal_link_sent") < 52


async def test_a_decline_on_the_page_is_told_and_another_try_is_waited_for() -> None:
    links = FakeLinks()
    again = news(AttemptState.CAPTURED, of=2)
    links.comes = [(40.0, news(AttemptState.DECLINED)), (80.0, again)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    assert await held.hold() is CallOutcome.PAID
    told = held.line.phrases.index("link_declined")
    assert held.line.phrases[told + 1] == "paypal_waiting"  # with the way out of it
    assert held.line.phrases.count("link_declined") == 1


async def test_after_a_decline_another_way_may_be_chosen() -> None:
    links = FakeLinks()
    links.comes = [(40.0, news(AttemptState.DECLINED))]
    to_the_card: Script = [("pay_one_or_leave", "1"), ("method_card", "1"), ("confirm_charge", "1")]
    waits: Script = [("paypal_waiting", "")] * 2
    held = PayPalCall([*WITH_PAYPAL, *waits, ("paypal_waiting", "1"), *to_the_card, *ENDS], links)
    assert await held.hold() is CallOutcome.PAID
    assert held.line.phrases.index("link_declined") < held.line.phrases.index("link_stays")
    assert len(held.company.charged) == 1


async def test_a_decline_at_the_end_of_the_waiting_leaves_time_for_another_try() -> None:
    links = FakeLinks()
    again = news(AttemptState.CAPTURED, of=2)
    links.comes = [(40.0, news(AttemptState.DECLINED)), (80.0, again)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    assert await held.hold(wait_seconds=25) is CallOutcome.PAID


async def test_a_charge_that_takes_long_is_waited_for_in_company() -> None:
    links = FakeLinks()
    links.comes = [(40.0, news(AttemptState.CHARGING)), (90.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    assert (
        await held.hold(wait_seconds=25) is CallOutcome.PAID
    )  # its end is waited for all the same
    begun = held.line.phrases.index("charging")
    assert "paypal_waiting" not in held.line.phrases[begun:]


async def test_a_charge_whose_end_is_never_heard_of_is_unknown() -> None:
    links = FakeLinks()
    links.comes = [(40.0, news(AttemptState.CHARGING))]
    held = PayPalCall(WITH_PAYPAL, links)
    assert await held.hold() is CallOutcome.CONFIRMING
    assert "confirming_do_not_pay_again" in held.line.phrases


async def test_an_unknown_outcome_is_told_and_the_call_ends() -> None:
    links = FakeLinks()
    links.comes = [(40.0, news(AttemptState.UNKNOWN))]
    held = PayPalCall(WITH_PAYPAL, links)
    assert await held.hold() is CallOutcome.CONFIRMING
    assert held.line.phrases[-2:] == ["confirming_do_not_pay_again", "goodbye"]


async def test_a_database_that_is_away_for_a_while_does_not_end_the_waiting() -> None:
    links = FakeLinks()
    links.comes, links.away_until = [(30.0, CAPTURED)], 60.0
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    assert await held.hold() is CallOutcome.PAID


async def test_a_customer_without_a_number_gets_the_link_by_mail_and_hears_so() -> None:
    links = FakeLinks()
    links.comes = [(40.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    held.company.rows.with_phone.clear()
    assert await held.hold() is CallOutcome.PAID
    (mail,) = held.outbox.told
    assert (mail.topic, mail.to) == ("mail", None)
    assert "paypal_link_mailed" in held.line.phrases


async def test_a_company_that_sends_no_mail_sends_a_text_only() -> None:
    links = FakeLinks()
    links.comes = [(40.0, CAPTURED)]
    held = PayPalCall([*WITH_PAYPAL, *ENDS], links)
    await held.hold(ways=frozenset({"text"}))
    assert [each.topic for each in held.outbox.told] == ["text"]


async def test_a_customer_without_number_and_address_is_not_offered_paypal() -> None:
    by_card: Script = [*KNOWN, ("pay_one_or_leave", "1"), ("confirm_charge", "1"), *ENDS]
    held = PayPalCall(by_card)
    held.company.rows.with_phone.clear()
    held.company.rows.with_mail.clear()
    assert await held.hold() is CallOutcome.PAID
    assert "method_paypal" not in held.line.phrases
    assert held.links.made == []

"""A link to the pay page in place of a card: by text, or by mail to who gets no texts."""

from __future__ import annotations

from ivr.billing.calls import CallOutcome
from ivr.billing.captures import CaptureResult
from ivr.billing.messages import Message, ToCustomer
from ivr.billing.payments import DeclineBucket
from tests.dialogue.company import Company, invoice
from tests.dialogue.conversation import KNOWN, converse
from tests.dialogue.saying import CODE, QUIET, YES, says
from tests.fakes.ears import ScriptedEars
from tests.fakes.line import FakeLine, Script
from tests.fakes.links import FakeLinks, FakeOutbox

CARD: Script = [*KNOWN, ("pay_one_or_leave", "1")]
DECLINED: Script = [*CARD, ("confirm_charge", "1")]


class LinkCall:
    """A company whose customer can be told by these ways, and whose bank declines a card."""

    def __init__(self, *ways: ToCustomer) -> None:
        self.company = Company(invoice(7, "42.50"))
        self.links, self.outbox = FakeLinks(), FakeOutbox()
        self.company.links, self.company.outbox = self.links, self.outbox
        self.company.can_be_told(*ways)
        self.company.declines(DeclineBucket.SOFT)

    @property
    def sent(self) -> Message:
        """What went out; fails when that was not one message."""
        (message,) = self.outbox.told
        return message


async def test_a_link_is_sent_and_the_call_ends() -> None:
    held = LinkCall("text")
    ended = await converse(held.company, [*DECLINED, ("option_link", "2")])
    assert ended.phrases[-2:] == ["link_sent", "goodbye"]
    assert ended.outcome is CallOutcome.NOT_PAID
    (link,) = held.links.made
    assert (link.customer_id, link.invoice_ids, link.call_id) == (1, (7,), ended.call.id)
    text = held.sent
    assert (text.topic, text.kind, text.to) == ("text", "pay-link", "+34600111222")
    assert (text.ids["url"], text.until) == (link.url, link.expires_at)


async def test_who_has_no_number_on_file_gets_the_link_by_mail_and_hears_so() -> None:
    held = LinkCall("mail")
    ended = await converse(held.company, [*DECLINED, ("option_link_mailed", "2")])
    assert "option_link" not in ended.phrases
    assert ended.phrases[-2:] == ["link_mailed", "goodbye"]
    assert ended.outcome is CallOutcome.NOT_PAID
    (link,) = held.links.made
    mail = held.sent
    assert (mail.topic, mail.kind, mail.to) == ("mail", "pay-link", None)
    assert (mail.ids["url"], mail.until) == (link.url, link.expires_at)


async def test_with_a_number_and_an_address_on_file_the_link_goes_by_text_alone() -> None:
    held = LinkCall("text", "mail")
    ended = await converse(held.company, [*DECLINED, ("option_link", "2")])
    assert "option_link_mailed" not in ended.phrases
    assert held.sent.topic == "text"


async def test_a_link_by_mail_is_asked_for_by_voice() -> None:
    held = LinkCall("mail")
    answers = (says("pay_or_leave", "yes"), YES, says("after_decline", "link"))
    line = FakeLine([("ask_account_number_voice", "1042#")])
    ears = ScriptedEars(QUIET, QUIET, CODE, *answers)
    ended = await converse(held.company, line=line, ears=ears)
    assert ended.phrases[-2:] == ["link_mailed", "goodbye"]


async def test_a_caller_whose_card_cannot_be_taken_gets_the_link_by_mail_too() -> None:
    held = LinkCall("mail")
    held.company.secure_results = [CaptureResult.INTERNAL_ERROR]
    ended = await converse(held.company, [*CARD, ("option_link_mailed", "1")])
    assert "card_not_taken" in ended.phrases
    assert ended.phrases[-2:] == ["link_mailed", "goodbye"]
    assert held.sent.topic == "mail"


async def test_without_a_number_and_an_address_no_link_is_offered() -> None:
    held = LinkCall()
    ended = await converse(held.company, [*DECLINED, ("option_later", "3")])
    assert not {"option_link", "option_link_mailed"} & set(ended.phrases)
    assert held.links.made == []

"""Paying: the means of payment, the caller's yes, the charge, the receipt."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from ivr.billing.allocating import Chosen
from ivr.billing.calls import CallOutcome
from ivr.billing.cards_on_file import RemovedFor
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.methods import Method
from ivr.billing.payments import (
    Attempt,
    BankAccountOnHand,
    BeingPaid,
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    Declined,
    KeepCard,
    MeansOnHand,
    NotCharged,
    OverLimit,
    Paid,
    PaidMeanwhile,
    PayPalOnHand,
    PayResult,
    Unknown,
)
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import CannotGoOn, MeansNotTaken, Over
from ivr.dialogue.flows import card_on_file
from ivr.dialogue.flows.amount import tell_fee
from ivr.dialogue.flows.declined import after_decline, instead
from ivr.dialogue.flows.in_doubt import say_confirming
from ivr.dialogue.flows.methods import COUNTED, Way, choose_way, has_a_way, means_for
from ivr.dialogue.flows.paypal import pay_by_link
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import Question, yes_no

Settled = Paid | Declined | Unknown | NotCharged | PaidMeanwhile | BeingPaid
"""how a charge went that no limit stopped"""
REPEATS = 5
"""how often a confirmation number is said again"""


async def pay_invoices(call: Call, desk: Desk, customer: Customer, chosen: Chosen) -> None:
    """Charge what the caller chooses and say how it went; back to the choice when that makes sense.

    Raises Over, WantsAgent or CannotGoOn when it does not, HungUp, and WentBack when the caller
    wants the choice again before anything is charged, or after it was declined.
    """
    if len(chosen.invoices) > 1 or chosen.is_part:  # else the amount was heard a moment ago
        await call.say("confirm_total", amount=chosen.amount)
    way: Way | None = None
    while True:
        try:
            way = way or await choose_way(call, desk, customer, chosen.amount.currency)
            result = await try_to_pay(call, desk, customer, chosen, way)
        except MeansNotTaken as error:
            await go_without(call, desk, customer, chosen, error)
            way = None
            continue
        if not isinstance(result, Declined):
            break
        chosen, way = await after_decline(call, desk, customer, chosen, result, way)
    if isinstance(result, PaidMeanwhile):
        await say_what_changed(call, desk, customer, chosen)
    elif result:
        await tell(call, desk, customer, result)


async def go_without(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen, error: MeansNotTaken
) -> None:
    """Return when something else is left to pay with. Raises as declined.instead when not."""
    call.note(f"not taken: {error.reason}")
    call.methods_failed |= error.methods
    if not await has_a_way(call, desk, customer, chosen.amount.currency):
        await instead(call, desk, customer, chosen, error)
    await call.say("way_not_taken")


async def try_to_pay(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen, way: Way
) -> Settled | None:
    """How one attempt went; None when the caller did not want to go through with it."""
    if way is Method.PAYPAL:
        return await paid_by_link(call, desk, customer, chosen)
    method = way.method if isinstance(way, CardOnFile) else way
    fee = desk.terms.fees.of(method, chosen.amount)
    async with call.filling():
        attempt = await desk.paying.open(
            customer.id, chosen.invoices, call.id, amounts=chosen.amounts, fee=fee, method=method
        )
    agreed = await agreed_means(call, desk, attempt, customer, way)
    if agreed is None:
        return None
    means, keep = agreed
    result = await charge(call, desk, attempt, means, keep)
    if isinstance(result, Declined) and isinstance(means, CardOnFile):
        await declined_on_file(call, desk, means, result)
    return result


async def declined_on_file(call: Call, desk: Desk, card: CardOnFile, declined: Declined) -> None:
    """Do not offer it again in this call, and never again if it was refused for good."""
    call.cards_tried.add(card.id)
    if declined.bucket is DeclineBucket.HARD:
        with contextlib.suppress(LedgerUnavailable):  # the next call hears the same of it
            await card_on_file.remove(call, desk, card, RemovedFor.REFUSED)


async def agreed_means(
    call: Call, desk: Desk, attempt: Attempt, customer: Customer, way: Way
) -> tuple[MeansOnHand, KeepCard | None] | None:
    """What the caller agreed to have charged, and kept; otherwise the attempt is given up."""
    agreed = False
    try:
        means = (
            way if isinstance(way, CardOnFile) else await means_for(call, desk, attempt, customer)
        )
        keep = await card_on_file.ask_to_keep(call, desk, customer, attempt, means)
        agreed = means is not None and await agrees(call, attempt, means)
        return (means, keep) if means is not None and agreed else None
    finally:
        if not agreed:
            call.note("attempt given up")
            with contextlib.suppress(LedgerUnavailable):  # a created attempt holds nothing
                await desk.paying.cancel(attempt)


async def agrees(call: Call, attempt: Attempt, means: MeansOnHand) -> bool:
    """Whether the caller wants it charged. Raises as ask.

    Who gave a mandate for a debit is not asked once more.
    """
    if isinstance(means, BankAccountOnHand):
        return True
    await tell_fee(call, attempt.fee, attempt.amount - attempt.fee)
    call.line.forget_keys()  # what was typed ahead agrees to nothing, with a card on file neither
    agreed = await call.ask(confirm_charge(attempt, means), may_go_back=True)
    if not agreed:
        await call.say("nothing_charged")
    return agreed


def confirm_charge(attempt: Attempt, means: MeansOnHand) -> Question[bool]:
    """1 charges that much to it, 2 does not."""
    amount = attempt.amount
    match means:
        case CardOnHand(brand, last4) | CardOnFile(brand=brand, last4=last4):
            return yes_no(phrase("confirm_charge", amount=amount, brand=brand, last4=last4))
        case BankAccountOnHand() | PayPalOnHand():
            raise ValueError("agreed to by a mandate, or at PayPal")


async def charge(
    call: Call, desk: Desk, attempt: Attempt, means: MeansOnHand, keep: KeepCard | None
) -> Settled:
    """Charge it while the caller is kept company, and note what that settled.

    A caller who hangs up meanwhile is paid for all the same; the call waits to know. Raises
    MeansNotTaken when a limit stopped it.
    """
    async with call.filling("charging", after_seconds=0):
        await call.rest()  # for as long as it takes there is nothing to be answered
        result = await desk.paying.pay(attempt, means, keep=keep)
        if isinstance(result, Paid) and isinstance(means, BankAccountOnHand):
            lines_wait = desk.mandating is not None and desk.mandating.reactivates_when_settled
            result = replace(result, settles_later=True, lines_wait=lines_wait)
        note_result(call, result)
    if isinstance(result, Paid):
        await leave_receipts(call)
    call.line.forget_keys()  # pressed while waiting; the result must not be hushed by them
    if isinstance(result, OverLimit):
        raise MeansNotTaken("limit", COUNTED)
    if isinstance(result, Declined):
        call.declined.append(means.card_hash if isinstance(means, CardOnHand) else "")
        if means.method is Method.BANK_ACCOUNT:
            call.methods_failed.add(Method.BANK_ACCOUNT)
    return result


async def paid_by_link(
    call: Call, desk: Desk, customer: Customer, chosen: Chosen
) -> Paid | Unknown | None:
    """What was paid by a link while the caller waited; None when they did not wait for it."""
    result = await pay_by_link(call, desk, customer, chosen)
    if result is not None:
        note_result(call, result)
        call.line.forget_keys()  # pressed while waiting; the result must not be hushed by them
    if isinstance(result, Paid):
        await leave_receipts(call)
    return result


def note_result(call: Call, result: PayResult) -> None:
    """What the call came to by a charge, whatever happens next."""
    call.note(f"charge {type(result).__name__}")
    if isinstance(result, Paid):
        call.settled = CallOutcome.PAID
        call.receipts.append(result)
    elif isinstance(result, Unknown):
        call.settled = CallOutcome.CONFIRMING


async def leave_receipts(call: Call) -> None:
    """Let an agent who waits for the caller know what was paid, even if we die from now on."""
    await call.leave_word(
        paid=" + ".join(str(each.amount) for each in call.receipts),
        confirmation=" + ".join(each.confirmation for each in call.receipts),
    )


async def say_what_changed(call: Call, desk: Desk, customer: Customer, chosen: Chosen) -> None:
    """Say that it was paid meanwhile, or a part of it, and not charged; the rest is read again."""
    async with call.filling():
        unpaid = await desk.invoices.unpaid(customer.id)
    still_due = any(invoice.id in chosen.amounts for invoice in unpaid)
    await call.say("due_changed" if still_due else "already_paid")


async def tell(
    call: Call,
    desk: Desk,
    customer: Customer | None,
    result: Paid | Unknown | NotCharged | BeingPaid,
) -> None:
    """Say how a charge went, to the customer or who pays for one; then they may choose again.

    Raises CannotGoOn when none was made, and Over when that is not known, or another call pays.
    """
    match result:
        case Paid():
            await say_receipt(call, result)
        case Unknown():
            await say_confirming(call, desk, customer)
            raise Over(CallOutcome.CONFIRMING)
        case NotCharged():
            raise CannotGoOn("the charge could not be made")
        case BeingPaid():
            await call.say("other_call_in_progress")
            raise Over(CallOutcome.NOT_PAID)


async def say_receipt(call: Call, paid: Paid) -> None:
    """The amount, the lines that come back, and the confirmation number as often as wanted."""
    back = [phrase("service_back", service=line.label) for line in paid.reactivated]
    number = phrase("confirmation_number", code=paid.confirmation)
    again = yes_no(phrase("repeat_or_end"), "repeat_or_end")
    done = phrase("debit_accepted" if paid.settles_later else "paid", amount=paid.amount)
    later = [phrase("back_when_settled")] if paid.lines_wait else []
    more = await call.offer(again.after(done, *back, *later, number), otherwise=False)
    for _ in range(REPEATS):
        if not more:
            return
        more = await call.offer(again.after(number), otherwise=False)

"""A bank account: keyed in the secure part, the mandate read aloud, its bank asked about it."""

from __future__ import annotations

from datetime import date

from ivr.billing.bank_accounts import BankAccountKeyed, KeptAs, NotVerified
from ivr.billing.captures import CaptureResult
from ivr.billing.customers import Customer
from ivr.billing.errors import GatewayError
from ivr.billing.limits import CardVerdict
from ivr.billing.mandating import Mandating, Reading
from ivr.billing.methods import Method
from ivr.billing.payments import Attempt, BankAccountOnHand
from ivr.dialogue.call import Call
from ivr.dialogue.desk import Desk
from ivr.dialogue.endings import HungUp, MeansNotTaken, TooManyTries, WantsAgent
from ivr.dialogue.flows.amount import tell_fee
from ivr.dialogue.flows.card_on_file import is_identified
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import Question, yes_no


async def is_possible(call: Call, desk: Desk, customer: Customer, currency: str) -> bool:
    """Whether this caller may pay this currency so: their own bill, and a mandate is possible.

    Who pays for somebody else has a name that we do not know, and a mandate needs it. Raises
    LedgerUnavailable.
    """
    mandating = desk.mandating
    if mandating is None or currency not in mandating.currencies:
        return False
    if Method.BANK_ACCOUNT in call.methods_failed or not is_identified(call, customer):
        return False
    async with call.filling():
        return await mandating.is_possible(customer.id)


async def bank_account(
    call: Call, desk: Desk, attempt: Attempt, customer: Customer
) -> BankAccountOnHand | None:
    """An account whose holder agreed to this debit; None when they did not, or it is no good.

    Raises as Call.ask, MeansNotTaken when a limit says no, and WantsAgent when none can be had in
    this call.
    """
    if desk.mandating is None:
        raise WantsAgent("no bank accounts here")
    await check_limits(call, desk, attempt)
    account = await keyed_account(call, desk, desk.mandating, attempt, customer)
    if account is None:
        return None
    await tell_fee(call, attempt.fee, attempt.amount - attempt.fee)
    how = await proof(call, desk.mandating, customer)
    begin, day = call.seconds, desk.mandating.clock()
    await read_mandate(call, desk.mandating, attempt, customer, account.last4, day)
    if not await call.ask(agree_to_debit(), may_go_back=True):
        return None
    reading = Reading(day, how, begin, call.seconds)
    verified = await verify(call, desk.mandating, attempt, customer, account, reading)
    if verified is None:
        call.methods_failed.add(Method.BANK_ACCOUNT)
        await call.say("account_not_verified")
    return verified


async def check_limits(call: Call, desk: Desk, attempt: Attempt) -> None:
    """Return if it could be charged: nobody keys an account in vain. Raises MeansNotTaken."""
    if desk.limiting is None:
        return
    async with call.filling():
        verdict = await desk.limiting.may_try(attempt.id)
    # The breaker is there for cards that anybody can key.
    if verdict not in (CardVerdict.ALLOWED, CardVerdict.BREAKER):
        raise MeansNotTaken(f"limit: {verdict}", frozenset({Method.BANK_ACCOUNT}))


async def keyed_account(
    call: Call, desk: Desk, mandating: Mandating, attempt: Attempt, customer: Customer
) -> BankAccountKeyed | None:
    """What the secure part brought back; None when the caller left it. Raises as bank_account."""
    holder = mandating.holder(customer.name, attempt.amount, call.language)
    outcome = await call.collect_account(desk.captures, holder)
    match outcome.result:
        case CaptureResult.SUCCESS:
            return outcome.account
        case CaptureResult.CALLER_INTERRUPTED | CaptureResult.CANCELED:
            return None
        case CaptureResult.CALLER_HUNG_UP:
            raise HungUp
        case CaptureResult.TOO_MANY_FAILED_ATTEMPTS:
            raise TooManyTries
        case CaptureResult.TRANSFERRED_TO_AGENT:
            raise WantsAgent("asked for, in the secure part")
    await call.say("account_not_available")
    raise WantsAgent(f"no bank account by telephone: {outcome.result}")


async def proof(call: Call, mandating: Mandating, customer: Customer) -> KeptAs:
    """How the mandate that is read next is proved. Raises WantsAgent when it cannot be.

    Which is not known before: the recording is off in the secure part, and may not come back.
    """
    async with call.filling():
        how = await mandating.proof(call.id, customer.id)
    if how is None:
        await call.say("account_not_available")
        raise WantsAgent("a mandate cannot be proved")
    return how


async def read_mandate(
    call: Call, mandating: Mandating, attempt: Attempt, customer: Customer, last4: str, day: date
) -> None:
    """All of it, to its end: no key hushes what a caller agrees to. Raises HungUp."""
    await call.say(
        "mandate",
        date=day,
        amount=attempt.amount,
        last4=last4,
        name=customer.name,
        digits="".join(filter(str.isdigit, mandating.phone)),
    )
    call.line.forget_keys()


def agree_to_debit() -> Question[bool]:
    """1 authorises it, 2 does not."""
    return yes_no(phrase("agree_to_debit"))


async def verify(
    call: Call,
    mandating: Mandating,
    attempt: Attempt,
    customer: Customer,
    account: BankAccountKeyed,
    reading: Reading,
) -> BankAccountOnHand | None:
    """What can be charged now; None when the bank does not know it, or cannot be asked.

    Raises LedgerUnavailable: without the mandate on paper nothing is charged.
    """
    async with call.filling("hold_on", after_seconds=0):
        await call.rest()
        try:
            found = await mandating.authorised(
                attempt,
                account,
                call_id=call.id,
                name=customer.name,
                language=call.language,
                reading=reading,
            )
        except GatewayError as error:
            call.failures.append(error)
            found = NotVerified()
    call.line.forget_keys()
    if isinstance(found, NotVerified):
        call.note("account not verified")
        return None
    return found

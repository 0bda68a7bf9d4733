"""The fakes of storage and gateway as one small company, each of whose answers takes time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import Any, cast
from uuid import UUID, uuid4

from ivr.billing.allocating import in_full
from ivr.billing.bank_accounts import BankAccountKeyed
from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.customers import (
    Customer,
    CustomerKind,
    Service,
    ServiceStatus,
    SuspensionReason,
)
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.invoices import Invoice
from ivr.billing.keeping import CardsOnFile
from ivr.billing.limiting import Limiting
from ivr.billing.mandating import Mandates, Mandating
from ivr.billing.messages import ToCustomer
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import (
    Attempt,
    AttemptState,
    CardOnFile,
    CardOnHand,
    DeclineBucket,
    Refusal,
)
from ivr.billing.ports import Captures, Directory, Invoices, Ledger, Names
from ivr.billing.promising import Promising
from ivr.billing.terms import Terms
from ivr.gateways.vault import card_id
from tests.fakes.bank_accounts import FakeClips, FakeMandates, FakeVault
from tests.fakes.cards_on_file import FakeCardsOnFile, left
from tests.fakes.company import FakeCompany, KeptAttempt
from tests.fakes.gateway import FakeGateway
from tests.fakes.links import FakeLinks, FakeOutbox
from tests.fakes.names import FakeNames
from tests.fakes.storage import FakeCaptures, FakeDirectory, FakeInvoices, FakeLedger

SMITH = Customer(1, "1042", CustomerKind.PERSON, "James Smith", "en", "28013")
SMALL_WORK_SECONDS = 0.02
"""what every back end takes, so that a hang-up can fall into each"""


def invoice(
    number: int, amount: str, currency: str = "EUR", service: str = "James's mobile"
) -> Invoice:
    """An open invoice of SMITH for a service of its own."""
    return Invoice(
        id=number,
        number=f"F-{number}",
        customer_id=SMITH.id,
        service_id=number,
        service_label=service,
        amount=Money.of(amount, currency),
        paid=Money.zero(currency),
        due_date=date(2026, 11, number),
    )


class Slow:
    """A fake whose every method takes a moment first, or finds the database gone."""

    def __init__(self, fake: object, work: Callable[[], Awaitable[None]]) -> None:
        self._fake = fake
        self._work = work

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._fake, name)

        async def slowly(*arguments: object, **named: object) -> Any:
            await self._work()
            return await method(*arguments, **named)

        return slowly


class Company:
    """One customer, their invoices, and everything that answers for them."""

    def __init__(self, *invoices: Invoice, customer: Customer = SMITH) -> None:
        self.rows = FakeCompany(
            customers={customer.id: customer},
            services={
                each.service_id: Service(
                    each.service_id, customer.id, each.service_label, "", ServiceStatus.ACTIVE, None
                )
                for each in invoices
            },
            invoices={each.id: each for each in invoices},
        )
        self.terms = Terms()
        self.gateway = FakeGateway()
        self.gateway.seconds = 1.0
        self.look_up_seconds = SMALL_WORK_SECONDS
        self.answers_left = 10_000
        """the database goes away after so many"""
        self.secure_results: list[CaptureResult | None] = []
        """how the next secure parts end, then SUCCESS; None writes no outcome"""
        self.secure_seconds = 20.0
        self.directory = cast("Directory", Slow(FakeDirectory(self.rows), self._look_up))
        self.known_names = FakeNames(self.rows)
        self.names = cast("Names", Slow(self.known_names, self._look_up))
        self.invoices = cast("Invoices", Slow(FakeInvoices(self.rows), self._look_up))
        self.cards = cast("CardsOnFile", Slow(FakeCardsOnFile(self.rows), self._work))
        self.keeps_cards = False
        self.limiting: Limiting | None = None
        self.promising: Promising | None = None
        self.links: FakeLinks | None = None
        self.outbox: FakeOutbox | None = None
        self.methods: tuple[Method, ...] = (Method.CARD,)
        self.mandating: Mandating | None = None
        self.vault = FakeVault(self.gateway.token)
        self.for_another = ""
        """the currency in which may be paid for another"""
        self.hashes: list[str] = []
        """of the next cards that are keyed; then they cannot be told apart"""
        self.captures = cast("Captures", Slow(FakeCaptures(self.rows), self._work))
        self.ledger = cast("Ledger", Slow(FakeLedger(self.rows), self._work))

    # What a test looks at

    @property
    def attempts(self) -> list[Attempt]:
        return [kept.attempt for kept in self.rows.attempts.values()]

    @property
    def states(self) -> list[AttemptState]:
        return [attempt.state for attempt in self.attempts]

    @property
    def charged(self) -> list[str]:
        """Orders whose money was taken."""
        return self.gateway.taken

    @property
    def requests(self) -> list[CaptureRequest]:
        return list(self.rows.captures.values())

    @property
    def capture_results(self) -> list[CaptureResult]:
        return [outcome.result for outcome in self.rows.outcomes.values()]

    # What a test lets happen

    def declines(self, *buckets: DeclineBucket) -> None:
        """The next charges are declined, one each."""
        self.gateway.will(*[Refusal("2000", "Do Not Honor", bucket) for bucket in buckets])

    def left(self, last4: str = "1111", expires: str = "1299", brand: str = "visa") -> CardOnFile:
        """A card that SMITH left in an earlier call."""
        token = f"vaulted-{last4}"
        card = CardOnFile(card_id(token), brand, last4, expires, token)
        self.gateway.vault[token] = card
        return left(self.rows, SMITH.id, card)

    def takes_bank_accounts(
        self, *methods: Method, recorded: bool = False, settled_first: bool = False
    ) -> None:
        """These are the ways to pay, or the bank account alone."""
        self.methods = methods or (Method.BANK_ACCOUNT,)
        self.rows.with_phone |= set() if recorded else {SMITH.id}
        self.mandating = Mandating(
            cast("Mandates", Slow(FakeMandates(self.rows), self._work)),
            self.vault,
            company="Saldo Telecom",
            phone="1-800-555-0100",
            clips=FakeClips() if recorded else None,
            ways=("text",),
            reactivates_when_settled=settled_first,
            clock=lambda: date(2026, 11, 23),
        )
        settle_first = self.methods if settled_first else ()
        self.ledger = cast("Ledger", Slow(FakeLedger(self.rows, "", settle_first), self._work))

    def sends_links(self, *ways: ToCustomer) -> None:
        """There is a pay page, and a number on file, or what these ways need."""
        self.links, self.outbox = FakeLinks(), FakeOutbox()
        self.can_be_told(*ways or ("text",))

    def can_be_told(self, *ways: ToCustomer) -> None:
        """A number is on file, or an address for mail, as these ways need."""
        self.rows.with_phone |= {SMITH.id} if "text" in ways else set()
        self.rows.with_mail |= {SMITH.id} if "mail" in ways else set()

    def suspend_all(self) -> None:
        """Every line is off for non-payment."""
        for key, service in self.rows.services.items():
            self.rows.services[key] = replace(
                service,
                status=ServiceStatus.SUSPENDED,
                suspended_for=SuspensionReason.NON_PAYMENT,
            )

    def pay_elsewhere(self) -> None:
        """Everything is paid on the web, this moment."""
        for key, each in self.rows.invoices.items():
            self.rows.invoices[key] = replace(each, paid=each.amount)

    def charge_elsewhere(self) -> None:
        """Another call is charging everything, this moment."""
        each = list(self.rows.invoices.values())
        other = Attempt(
            uuid4(), "other", SMITH.id, "call-2", each[0].due, in_full(each).allocations,
            AttemptState.CHARGING, Money.zero("EUR"),
        )  # fmt: skip
        self.rows.attempts[other.id] = KeptAttempt(other)

    async def secure_part(self, capture_id: UUID) -> None:
        """The caller keys a card, for as long as that takes."""
        await asyncio.sleep(self.secure_seconds)
        result = self.secure_results.pop(0) if self.secure_results else CaptureResult.SUCCESS
        if result is CaptureResult.SUCCESS and self.rows.captures[capture_id].holder:
            account = BankAccountKeyed("0000", "checking", "tokenusbankacct_1")
            self.rows.outcomes[capture_id] = CaptureOutcome(result, account=account)
        elif result is not None:
            card_hash = self.hashes.pop(0) if self.hashes else ""
            token = self.gateway.token()
            card = CardOnHand("visa", "1111", "1230", token, card_hash=card_hash)
            outcome = CaptureOutcome(result, card if result is CaptureResult.SUCCESS else None)
            self.rows.outcomes[capture_id] = outcome

    async def _look_up(self) -> None:
        await asyncio.sleep(self.look_up_seconds)
        self._answer()

    async def _work(self) -> None:
        await asyncio.sleep(SMALL_WORK_SECONDS)
        self._answer()

    def _answer(self) -> None:
        self.answers_left -= 1
        if self.answers_left < 0:
            raise LedgerUnavailable("the database went away")


SecurePart = Callable[[UUID], Awaitable[None]]


def and_then(first: SecurePart, act: Callable[[], None]) -> SecurePart:
    """A secure part after which something happens before the caller is back."""

    async def both(capture_id: UUID) -> None:
        await first(capture_id)
        act()

    return both

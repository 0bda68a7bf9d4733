"""The same company in memory and in Postgres, for cases that must hold for both."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Protocol
from uuid import UUID, uuid4

from ivr.billing.allocating import in_full
from ivr.billing.calls import CallArrived, CallOutcome
from ivr.billing.customers import Customer, Service, SuspensionReason
from ivr.billing.forgetting import Accounts
from ivr.billing.invoices import Invoice, total_due
from ivr.billing.keeping import CardsOnFile
from ivr.billing.mandating import Mandates
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import Attempt, AttemptState, CardOnHand
from ivr.billing.ports import (
    AssistedCaptures,
    Calls,
    Captures,
    Directory,
    Doubts,
    Invoices,
    Ledger,
)
from ivr.billing.proving import Proofs
from ivr.billing.refunding import Refunds
from ivr.billing.settling import Notifications
from ivr.storage.assisted_captures import PostgresAssistedCaptures
from ivr.storage.bank_accounts import (
    PostgresAccounts,
    PostgresMandates,
    PostgresNotifications,
    PostgresProofs,
)
from ivr.storage.calls import PostgresCalls
from ivr.storage.captures import PostgresCaptures
from ivr.storage.cards_on_file import PostgresCardsOnFile
from ivr.storage.customers import PostgresDirectory
from ivr.storage.daemons import PostgresDaemons
from ivr.storage.events import PostgresEvents
from ivr.storage.invoices import PostgresInvoices
from ivr.storage.payments import PostgresLedger
from ivr.storage.pool import Database
from ivr.storage.refunds import PostgresRefunds
from ivr.storage.resolving import PostgresDoubts
from ivr.storage.services import PostgresServices
from tests.fakes.bank_accounts import (
    FakeAccounts,
    FakeMandates,
    FakeNotifications,
    FakeProofs,
)
from tests.fakes.cards_on_file import FakeCardsOnFile
from tests.fakes.doubts import FakeDoubts
from tests.fakes.refunds import FakeRefunds
from tests.fakes.storage import (
    FakeAssistedCaptures,
    FakeCalls,
    FakeCaptures,
    FakeCompany,
    FakeDirectory,
    FakeInvoices,
    FakeLedger,
)

CARD = CardOnHand("visa", "1111", "1230", "tokencc_one")
DUE = date(2026, 3, 31)
NUMBERS = count(5000)
ADD_CUSTOMER = """
INSERT INTO customers (external_id, account_number, kind, name, language, postal_code)
VALUES ($1, $1, 'person', 'James Smith', 'en', '28013')"""
ADD_SERVICE = """
INSERT INTO services (external_id, customer_id, label, number, status, suspended_for)
VALUES ($1, $2, $3, '+34910000000',
        CASE WHEN $4::text IS NULL THEN 'active' ELSE 'suspended' END, $4)
RETURNING id"""
ADD_INVOICE = """
INSERT INTO invoices (number, service_id, amount, currency, paid, due_date)
VALUES ($1, $2, $3, $4, $5, $6)"""


@dataclass
class Node:
    """One daemon's ports; `die` and it is not heard of any more."""

    ledger: Ledger
    doubts: Doubts
    die: Callable[[], Awaitable[None]]


class World(Protocol):
    """The ports, rows to begin with, and a look at what became of them."""

    @property
    def directory(self) -> Directory: ...

    @property
    def invoices(self) -> Invoices: ...

    @property
    def ledger(self) -> Ledger: ...

    @property
    def captures(self) -> Captures: ...

    @property
    def assisted(self) -> AssistedCaptures: ...

    @property
    def cards(self) -> CardsOnFile: ...

    @property
    def refunds(self) -> Refunds: ...

    @property
    def calls(self) -> Calls: ...

    @property
    def mandates(self) -> Mandates: ...

    @property
    def proofs(self) -> Proofs: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def notifications(self) -> Notifications: ...

    def settling_first(self, *methods: Method) -> Ledger:
        """The ledger of a company whose lines come back at settlement, paid by these methods."""
        ...

    async def node(self) -> Node:
        """A daemon that runs."""
        ...

    async def customer(self) -> Customer: ...

    async def service(
        self, customer: Customer, suspended_for: SuspensionReason | None = None
    ) -> Service: ...

    async def invoice(
        self, service: Service, amount: str = "42.50", paid: str = "0", due: date = DUE
    ) -> Invoice: ...

    async def invoice_now(self, invoice: Invoice) -> Invoice: ...

    async def service_now(self, service: Service) -> Service: ...

    async def state(self, attempt: Attempt) -> AttemptState: ...

    async def token_kept(self, attempt: Attempt) -> str: ...

    async def events(self, attempt: Attempt) -> list[str]: ...

    async def ends(self, call: CallArrived) -> list[CallOutcome]:
        """How the records of this call say it ended."""
        ...


async def opened(world: World, *invoices: Invoice, call_id: str | None = None) -> Attempt:
    """A new attempt over these invoices."""
    attempt_id = uuid4()
    attempt = Attempt(
        attempt_id,
        f"saldo-{attempt_id}",
        invoices[0].customer_id,
        call_id,
        total_due(invoices),
        in_full(invoices).allocations,
        AttemptState.CREATED,
        Money.zero(invoices[0].amount.currency),
    )
    await world.ledger.open_attempt(attempt)
    return attempt


@dataclass
class FakeWorld:
    """In memory."""

    company: FakeCompany = field(default_factory=FakeCompany)

    def __post_init__(self) -> None:
        self.directory = FakeDirectory(self.company)
        self.invoices = FakeInvoices(self.company)
        self.ledger = FakeLedger(self.company)
        self.captures = FakeCaptures(self.company)
        self.assisted = FakeAssistedCaptures(self.company)
        self.cards = FakeCardsOnFile(self.company)
        self.refunds = FakeRefunds(self.company)
        self.calls = FakeCalls(self.company)
        self.mandates = FakeMandates(self.company)
        self.proofs = FakeProofs(self.company)
        self.accounts = FakeAccounts(self.company)
        self.notifications = FakeNotifications(self.company)

    def settling_first(self, *methods: Method) -> Ledger:
        return FakeLedger(self.company, settle_first=methods)

    async def node(self) -> Node:
        name = f"node{next(NUMBERS)}"

        async def die() -> None:
            self.company.gone.add(name)

        return Node(FakeLedger(self.company, name), FakeDoubts(self.company, name), die)

    async def customer(self) -> Customer:
        return self.company.customer(str(next(NUMBERS)))

    async def service(
        self, customer: Customer, suspended_for: SuspensionReason | None = None
    ) -> Service:
        return self.company.service(customer, suspended_for=suspended_for)

    async def invoice(
        self, service: Service, amount: str = "42.50", paid: str = "0", due: date = DUE
    ) -> Invoice:
        return self.company.invoice(service, amount, paid=paid, due=due)

    async def invoice_now(self, invoice: Invoice) -> Invoice:
        return self.company.invoices[invoice.id]

    async def service_now(self, service: Service) -> Service:
        return self.company.services[service.id]

    async def state(self, attempt: Attempt) -> AttemptState:
        return self.company.attempts[attempt.id].attempt.state

    async def token_kept(self, attempt: Attempt) -> str:
        means = self.company.attempts[attempt.id].means
        return means.token if means else ""

    async def events(self, attempt: Attempt) -> list[str]:
        return self.company.events

    async def ends(self, call: CallArrived) -> list[CallOutcome]:
        return [self.company.ended[call.id].outcome]


class PostgresWorld:
    """In a real database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.directory = PostgresDirectory(database)
        self.invoices = PostgresInvoices(database)
        self.ledger = PostgresLedger(database)
        self.captures = PostgresCaptures(database)
        self.assisted = PostgresAssistedCaptures(database)
        self.cards = PostgresCardsOnFile(database)
        self.refunds = PostgresRefunds(database)
        self.calls = PostgresCalls(database)
        self.mandates = PostgresMandates(database)
        self.proofs = PostgresProofs(database)
        self.accounts = PostgresAccounts(database)
        self.notifications = PostgresNotifications(database)

    def settling_first(self, *methods: Method) -> Ledger:
        return PostgresLedger(self.database, settle_first=methods)

    async def ask(self, question: str, *values: object) -> object:
        async with self.database.session() as session:
            return await session.raw.fetchval(question, *values)

    async def node(self) -> Node:
        daemon = uuid4()
        daemons = PostgresDaemons(self.database, daemon, node=daemon.hex, app="saldo")
        await daemons.begin()
        ledger = PostgresLedger(self.database, daemon)
        return Node(ledger, PostgresDoubts(self.database, daemon), daemons.end)

    async def customer(self) -> Customer:
        account = str(next(NUMBERS))
        await self.ask(ADD_CUSTOMER, account)
        customer = await self.directory.by_account_number(account)
        assert customer
        return customer

    async def service(
        self, customer: Customer, suspended_for: SuspensionReason | None = None
    ) -> Service:
        key = f"S{next(NUMBERS)}"
        new = await self.ask(ADD_SERVICE, key, customer.id, "James's mobile", suspended_for)
        found = await PostgresServices(self.database).of_customer(customer.id)
        return next(service for service in found if service.id == new)

    async def invoice(
        self, service: Service, amount: str = "42.50", paid: str = "0", due: date = DUE
    ) -> Invoice:
        number = f"F-2026-{next(NUMBERS)}"
        values = (number, service.id, Decimal(amount), "EUR", Decimal(paid), due)
        await self.ask(ADD_INVOICE, *values)
        return (await self.invoices.by_number([number]))[0]

    async def invoice_now(self, invoice: Invoice) -> Invoice:
        return (await self.invoices.by_number([invoice.number]))[0]

    async def service_now(self, service: Service) -> Service:
        found = await PostgresServices(self.database).of_customer(service.customer_id)
        return next(one for one in found if one.id == service.id)

    async def state(self, attempt: Attempt) -> AttemptState:
        kept = await self.ledger.attempt(attempt.id)
        assert kept
        return kept.state

    async def token_kept(self, attempt: Attempt) -> str:
        return await self.token_of(attempt.id) or ""

    async def token_of(self, attempt_id: UUID) -> str | None:
        token = await self.ask("SELECT token FROM attempts WHERE id = $1", attempt_id)
        assert token is None or isinstance(token, str)
        return token

    async def events(self, attempt: Attempt) -> list[str]:
        page = await PostgresEvents(self.database).recent(limit=1000)
        return [event.kind for event in reversed(page.items) if event.attempt_id == attempt.id]

    async def ends(self, call: CallArrived) -> list[CallOutcome]:
        page = await self.calls.recent(sip_call_id=call.sip_call_id)
        return [record.ended.outcome for record in page.items if record.ended]

"""The ledger of attempts: each step of a payment is one commit, and safe to repeat."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from ivr.billing.card_numbers import without_card_numbers
from ivr.billing.doubts import StrayWhy
from ivr.billing.errors import (
    AttemptNotFound,
    InvoiceAlreadyPaid,
    InvoiceBeingPaid,
    TransitionRefused,
)
from ivr.billing.methods import Method
from ivr.billing.money import Money
from ivr.billing.payments import (
    TRANSITIONS,
    Allocation,
    Attempt,
    AttemptState,
    BankAccountOnHand,
    Captured,
    CardOnFile,
    CardOnHand,
    KeepCard,
    MeansOnHand,
    Paid,
    PayPalOnHand,
    Reactivated,
    Refusal,
    confirmation_code,
)
from ivr.storage import cards_on_file
from ivr.storage.errors import AlreadyThere
from ivr.storage.pool import Database, Record, Session
from ivr.storage.rows import storable

ONE_CHARGE_AN_INVOICE = "one_charge_an_invoice"
STILL_PAID = {AttemptState.CAPTURED, AttemptState.SETTLED}
BY_STAFF = {AttemptState.VOIDED, AttemptState.REFUNDED}
"""what a refund of ours makes of a payment, by itself and as staff wished"""
WAS_PAID = STILL_PAID | {AttemptState.REFUNDED}
NOT_CHARGED = {AttemptState.DECLINED, AttemptState.FAILED, AttemptState.CANCELED}
UNDOUBTED = frozenset(AttemptState) - {AttemptState.UNKNOWN}
MAY_BE_CAPTURED = {state for state, after in TRANSITIONS.items() if AttemptState.CAPTURED in after}


class PostgresLedger:
    """`billing.ports.Ledger`. Every method raises LedgerUnavailable.

    Unavailable may also mean that the answer to a commit was lost. Repeating is always safe: a
    step that was done is left as it is, and only `begin_charging` refuses to be done twice.
    """

    def __init__(
        self,
        database: Database,
        daemon: UUID | None = None,
        settle_first: Collection[Method] = (),
    ) -> None:
        """`daemon` is who charges, if it has a heartbeat: see PostgresDaemons.

        Paid with one of `settle_first`, lines come back at settlement, and not when it is captured.
        """
        self._database = database
        self._daemon = daemon
        self._settle_first = settle_first

    async def open_attempt(self, attempt: Attempt) -> None:
        await self._database.change(
            "open_attempt",
            attempt.id,
            attempt.order_id,
            attempt.customer_id,
            attempt.call_id,
            attempt.amount.amount,
            attempt.amount.currency,
            [part.invoice_id for part in attempt.allocations],
            [part.amount.amount for part in attempt.allocations],
            attempt.fee.amount,
            attempt.method.value,
            self._daemon,
        )

    async def begin_charging(
        self, attempt_id: UUID, means: MeansOnHand, keep: KeepCard | None = None
    ) -> None:
        try:
            row = await self._database.change(
                "begin_charging",
                attempt_id,
                means.token,
                means.method.value,
                *_details(means),
                keep.customer_ref if keep else None,
                self._daemon,
                not isinstance(means, CardOnHand) or means.by_telephone,
                means.method in self._settle_first,
            )
        except AlreadyThere as error:
            if error.constraint != ONE_CHARGE_AN_INVOICE:
                raise
            row = None
        else:
            return _decided(attempt_id, row)
        await self._end(attempt_id, AttemptState.CANCELED, reason="being-paid")
        raise InvoiceBeingPaid("another attempt is charging one of these invoices now")

    async def captured(self, attempt_id: UUID, capture: Captured) -> Paid:
        async with self._database.transaction() as session:
            row = await session.row("lock_for_capture", attempt_id)
            if row is None:
                raise AttemptNotFound(f"no attempt {attempt_id}")
            state = AttemptState(row["state"])
            lines: list[Record] = []
            if state in MAY_BE_CAPTURED:
                lines = await _capture(session, attempt_id, capture, state)
            elif stray := _stray(state, row["transaction_id"], capture):
                await session.run("keep_stray", storable(capture.transaction_id), attempt_id, stray)
            if state in STILL_PAID:
                lines = await session.rows("lines_reactivated", attempt_id)
        if state not in MAY_BE_CAPTURED | STILL_PAID:
            raise _refused(attempt_id, state, AttemptState.CAPTURED)
        return Paid(
            amount=Money(row["amount"], row["currency"]),
            confirmation=confirmation_code(attempt_id),
            reactivated=tuple(Reactivated(line["id"], line["label"]) for line in lines),
        )

    async def declined(self, attempt_id: UUID, refusal: Refusal) -> None:
        await self._end(attempt_id, AttemptState.DECLINED, refusal=refusal)

    async def failed(
        self, attempt_id: UUID, reason: str, *, tell: bool = False, unsent: bool = False
    ) -> None:
        before = UNDOUBTED if unsent else frozenset(AttemptState)
        await self._end(attempt_id, AttemptState.FAILED, reason=reason, tell=tell, before=before)

    async def unknown(self, attempt_id: UUID, reason: str) -> None:
        await self._end(attempt_id, AttemptState.UNKNOWN, reason=reason)

    async def cancel(self, attempt_id: UUID, *, tell: bool = False) -> None:
        await self._change_state(attempt_id, AttemptState.CANCELED, "given up", None, tell=tell)

    async def became(self, attempt_id: UUID, state: AttemptState, *, reason: str = "") -> None:
        async with self._database.transaction() as session:
            row = await session.row("lock_for_capture", attempt_id)
            if row is None:
                raise AttemptNotFound(f"no attempt {attempt_id}")
            before = AttemptState(row["state"])
            if before is state:
                return
            if before not in WAS_PAID or state not in TRANSITIONS[before]:
                raise _refused(attempt_id, before, state)
            if state in BY_STAFF and await session.row("refund_under_way", attempt_id):
                raise _refused(attempt_id, before, state)
            is_back = state is not AttemptState.SETTLED
            why = _shown(reason) or None
            await session.run("payment_became", attempt_id, state.value, is_back, why)

    async def attempt(self, attempt_id: UUID) -> Attempt | None:
        """One attempt as it is now."""
        row = await self._database.row("attempt_by_id", attempt_id)
        return read_attempt(row) if row else None

    async def sent(self, attempt_id: UUID) -> tuple[MeansOnHand, KeepCard | None] | None:
        row = await self._database.row("means_of_attempt", attempt_id)
        if row is None:
            return None
        return _means(row), KeepCard(row["keep_ref"]) if row["keep_ref"] else None

    async def _end(
        self,
        attempt_id: UUID,
        state: AttemptState,
        *,
        reason: str | None = None,
        refusal: Refusal | None = None,
        tell: bool = False,
        before: frozenset[AttemptState] = frozenset(AttemptState),
    ) -> None:
        row = await self._change_state(attempt_id, state, reason, refusal, tell=tell, before=before)
        if row is None:
            raise AttemptNotFound(f"no attempt {attempt_id}")
        found = AttemptState(row["state"])
        if not row["moves"] and found is not state:
            raise _refused(attempt_id, found, state)

    async def _change_state(
        self,
        attempt_id: UUID,
        state: AttemptState,
        reason: str | None,
        refusal: Refusal | None,
        *,
        tell: bool,
        before: frozenset[AttemptState] = frozenset(AttemptState),
    ) -> Record | None:
        return await self._database.change(
            "end_attempt",
            attempt_id,
            [one.value for one, after in TRANSITIONS.items() if state in after and one in before],
            state.value,
            _shown(reason),
            _shown(refusal.code) if refusal else None,
            _shown(refusal.text) if refusal else None,
            refusal.bucket.value if refusal else None,
            refusal.transaction_id if refusal else None,
            tell,
        )


def _stray(state: AttemptState, ours: str | None, capture: Captured) -> StrayWhy | None:
    """Why this money must go back; None if it is the attempt's own."""
    if state in NOT_CHARGED:
        return "told-not-charged"
    is_another = state is not AttemptState.CREATED and ours != storable(capture.transaction_id)
    return "second-capture" if is_another else None


async def _capture(
    session: Session, attempt_id: UUID, capture: Captured, before: AttemptState
) -> list[Record]:
    lines = await session.rows(
        "attempt_captured",
        attempt_id,
        storable(capture.transaction_id),
        _shown(capture.processor_code),
        capture.captured_at,
        confirmation_code(attempt_id),
        before is AttemptState.UNKNOWN,
    )
    if capture.kept is not None:
        await cards_on_file.keep(session, attempt_id, capture.kept)
    return lines


def _shown(text: str | None) -> str | None:
    """What a bank writes must not stop the ledger, whose columns refuse card numbers."""
    return None if text is None else without_card_numbers(storable(text))


def _decided(attempt_id: UUID, row: Record | None) -> None:
    if row is None:
        raise AttemptNotFound(f"no attempt {attempt_id}")
    match row["decision"]:
        case "already-paid":
            raise InvoiceAlreadyPaid("an invoice was paid or changed since it was read")
        case "being-paid":
            raise InvoiceBeingPaid("another attempt is charging one of these invoices now")
        case "refused":
            raise _refused(attempt_id, AttemptState(row["state"]), AttemptState.CHARGING)
        case _:
            return


def _refused(attempt_id: UUID, before: AttemptState, after: AttemptState) -> TransitionRefused:
    return TransitionRefused(f"attempt {attempt_id} is {before} and cannot become {after}", before)


def read_attempt(row: Record) -> Attempt:
    """A row of a query that selects an attempt with its parts."""
    currency = row["currency"]
    parts = zip(row["invoice_ids"], row["amounts"], strict=True)
    return Attempt(
        id=row["id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        call_id=row["call_id"],
        amount=Money(row["amount"], currency),
        allocations=tuple(
            Allocation(invoice, Money(amount, currency)) for invoice, amount in parts
        ),
        state=AttemptState(row["state"]),
        fee=Money(row["fee"], currency),
        method=Method(row["method"]),
    )


def _details(means: MeansOnHand) -> tuple[str | UUID | None, ...]:
    """Brand, last4, expires, account_type, payer and card_on_file_id, where it has them."""
    match means:
        case CardOnHand(brand, last4, expires):
            return brand, last4, expires, None, None, None
        case CardOnFile(id, brand, last4, expires):
            return brand, last4, expires, None, None, id
        case BankAccountOnHand(last4, account_type):
            return None, last4, None, account_type, None, None
        case PayPalOnHand(payer):
            return None, None, None, None, _shown(payer), None


def _means(row: Record) -> MeansOnHand:
    token = row["token"]
    match Method(row["method"]):
        case Method.CARD:
            by_telephone = row["by_telephone"]
            return CardOnHand(row["brand"], row["last4"], row["expires"], token, by_telephone)
        case Method.CARD_ON_FILE:
            number = row["card_on_file_id"]
            return CardOnFile(number, row["brand"], row["last4"], row["expires"], token)
        case Method.BANK_ACCOUNT:
            mandate, agreed_at = row["mandate"] or "", row["agreed_at"]
            last4, account_type = row["last4"], row["account_type"]
            return BankAccountOnHand(last4, account_type, token, mandate, agreed_at)
        case Method.PAYPAL:
            return PayPalOnHand(row["payer"], token)

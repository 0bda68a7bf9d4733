"""Where our ledger and the gateway's do not say the same of a payment, and what is to be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ivr.billing.doubts import Refused, Taken, judge
from ivr.billing.money import Money, total
from ivr.billing.payments import Attempt, AttemptState, Captured, Refusal
from ivr.billing.transactions import TAKEN, Standing, Transaction


class Kind(StrEnum):
    """How the ledgers differ."""

    ONLY_THERE = "only-at-the-gateway"
    ONLY_HERE = "only-here"
    AMOUNT = "amount"
    UNRESOLVED = "unresolved"
    """unknown here"""
    CHARGED_AFTER_ALL = "charged-after-all"
    """the customer was told that nothing was charged"""
    TAKEN_TWICE = "taken-twice"
    STATE = "state"
    REFUND = "refund"
    """a part went back at the gateway of which our ledger does not know"""


# What mends a difference without doubt:


@dataclass(frozen=True, slots=True)
class Adopt:
    """The attempt took this money."""

    capture: Captured


@dataclass(frozen=True, slots=True)
class Decline:
    """The attempt was refused."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Money that is not ours to keep."""

    capture: Captured


@dataclass(frozen=True, slots=True)
class Become:
    """The payment went on at the gateway."""

    state: AttemptState


Mend = Adopt | Decline | GiveBack | Become


@dataclass(frozen=True, slots=True)
class Ours:
    """What our ledger says of an order."""

    attempt: Attempt
    transaction_id: str | None = None
    needs_person: str = ""
    """of an unknown outcome: why the books do not settle it"""
    is_being_refunded: bool = False
    """staff gives money back, and it is not known yet whether it went"""
    refund_ids: Collection[str] = frozenset()
    """of transactions by which staff gave money back from here"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One order of which the ledgers do not say the same."""

    kind: Kind
    order_id: str
    here: str
    there: str
    todo: str
    attempt_id: UUID | None = None
    mend: Mend | None = None


SETTLES: Mapping[Standing, tuple[AttemptState, Collection[AttemptState]]] = {
    Standing.SETTLED: (AttemptState.SETTLED, {AttemptState.CAPTURED}),
    Standing.VOIDED: (AttemptState.VOIDED, {AttemptState.CAPTURED}),
    Standing.RETURNED: (
        AttemptState.RETURNED,
        {AttemptState.CAPTURED, AttemptState.SETTLED, AttemptState.REFUNDED},
    ),
}
"""What a payment becomes by how its sale stands, and from which states."""
PAID = {AttemptState.CAPTURED, AttemptState.SETTLED}
GIVEN_BACK = {AttemptState.VOIDED, AttemptState.REFUNDED, AttemptState.RETURNED}
NOT_CHARGED = {AttemptState.DECLINED, AttemptState.FAILED, AttemptState.CANCELED}

BY_HAND = "look it up in the gateway's control panel; void or refund it there if nobody owns it"
IN_THE_PANEL = "ask who refunded it in the gateway's control panel, and what is owed again"
BY_ITSELF = "nothing: it is mended every night, or now with --mend"


def compare(
    ours: Iterable[Ours], theirs: Iterable[Transaction], given_back: Collection[str] = ()
) -> list[Difference]:
    """Every difference, by order id. `given_back` are sales whose money we sent back long ago."""
    books: dict[str, list[Transaction]] = {}
    refunds: dict[str, list[Transaction]] = {}
    for one in sorted(theirs, key=lambda each: each.created_at):
        if one.is_sale:
            books.setdefault(one.order_id, []).append(one)
        else:
            refunds.setdefault(one.refund_of, []).append(one)
    known = {each.attempt.order_id: each for each in ours}
    differences: list[Difference] = []
    for order in sorted(known.keys() | books.keys()):
        desk = _Order(known.get(order), books.get(order, []), refunds, given_back)
        differences += desk.differences(order)
    return differences


@dataclass(frozen=True, slots=True)
class _Order:
    """What both ledgers say of one order."""

    ours: Ours | None
    sales: Sequence[Transaction]
    refunds: Mapping[str, Sequence[Transaction]]
    given_back: Collection[str]

    def differences(self, order_id: str) -> list[Difference]:
        if self.ours is None:
            there = _said(self._held())
            todo = f"nobody here knows this order: {BY_HAND}"
            found = Difference(Kind.ONLY_THERE, order_id, "nothing", there, todo)
            return [found] if self._held() else []
        state = self.ours.attempt.state
        if state is AttemptState.UNKNOWN:
            return self._unresolved(self.ours)
        if state in NOT_CHARGED:
            return self._charged_after_all(self.ours)
        if state in PAID | GIVEN_BACK:
            return self._paid(self.ours)
        return self._never_sent(self.ours) if state is AttemptState.CREATED else []

    def _held(self) -> list[Transaction]:
        """Sales whose money has not gone back."""
        return [sale for sale in self.sales if sale.is_taken and not self._is_back(sale)]

    def _is_back(self, sale: Transaction) -> bool:
        return sale.id in self.given_back or not self._refunded(sale) < sale.amount

    def _refunded(self, sale: Transaction, besides: Collection[str] = ()) -> Money:
        done = (
            one.amount
            for one in self.refunds.get(sale.id, ())
            if one.standing in TAKEN and one.amount.currency == sale.amount.currency
            if one.id not in besides
        )
        return total(done, sale.amount.currency)

    def _unresolved(self, ours: Ours) -> list[Difference]:
        match judge(ours.attempt, self.sales):
            case Taken(capture):
                mend: Mend | None = Adopt(capture)
            case Refused(refusal):
                mend = Decline(refusal)
            case _:
                mend = None
        if mend is None and not ours.needs_person:
            return []  # it is being looked for
        todo = BY_ITSELF if mend else f"{ours.needs_person}: {BY_HAND}"
        return [self._difference(Kind.UNRESOLVED, ours, _said(self.sales), todo, mend)]

    def _charged_after_all(self, ours: Ours) -> list[Difference]:
        kind = Kind.CHARGED_AFTER_ALL
        return [
            self._difference(kind, ours, _said([sale]), BY_ITSELF, GiveBack(sale.outcome))
            for sale in self._held()
            if isinstance(sale.outcome, Captured)
        ]

    def _never_sent(self, ours: Ours) -> list[Difference]:
        there, todo = _said(self._held()), f"it was never sent by us: {BY_HAND}"
        found = self._difference(Kind.CHARGED_AFTER_ALL, ours, there, todo)
        return [found] if self._held() else []

    def _paid(self, ours: Ours) -> list[Difference]:
        own = next((sale for sale in self.sales if sale.id == ours.transaction_id), None)
        extra = [
            self._difference(
                Kind.TAKEN_TWICE, ours, _said([sale]), BY_ITSELF, GiveBack(sale.outcome)
            )
            for sale in self._held()
            if sale is not own and isinstance(sale.outcome, Captured)
        ]
        if own is None:
            todo = f"the gateway has no sale {ours.transaction_id}: {BY_HAND}"
            return [self._difference(Kind.ONLY_HERE, ours, _said(self.sales), todo), *extra]
        if own.amount != ours.attempt.amount:
            todo = "the gateway took another amount than was agreed: refund it and charge anew"
            return [self._difference(Kind.AMOUNT, ours, _said([own]), todo), *extra]
        return [*self._state(ours, own), *self._refund(ours, own), *extra]

    def _state(self, ours: Ours, own: Transaction) -> list[Difference]:
        state = ours.attempt.state
        if ours.is_being_refunded:
            return []
        is_returned = own.standing is Standing.RETURNED
        if state in PAID and not is_returned and not self._refunded(own) < own.amount:
            there = f"refunded {self._refunded(own)}"
            mend = Become(AttemptState.REFUNDED)
            return [self._difference(Kind.STATE, ours, there, BY_ITSELF, mend)]
        after, before = SETTLES.get(own.standing, (None, ()))
        if after is not None and state in before:
            return [self._difference(Kind.STATE, ours, _said([own]), BY_ITSELF, Become(after))]
        if after is AttemptState.VOIDED and state is AttemptState.SETTLED:
            return [self._difference(Kind.STATE, ours, _said([own]), BY_HAND)]
        if state is AttemptState.VOIDED and own.standing in TAKEN and not self._is_back(own):
            return [self._difference(Kind.STATE, ours, _said([own]), BY_HAND)]
        return []

    def _refund(self, ours: Ours, own: Transaction) -> list[Difference]:
        """A part that went back without us: somebody did it in the gateway's control panel.

        Known by its id, not by the sum: of what went back from here, the books may show only some.
        """
        is_whole = ours.attempt.state not in PAID or not self._refunded(own) < own.amount
        without_us = self._refunded(own, besides=ours.refund_ids)
        if is_whole or ours.is_being_refunded or not without_us:
            return []
        there = f"{without_us} refunded"
        return [self._difference(Kind.REFUND, ours, there, IN_THE_PANEL)]

    @staticmethod
    def _difference(
        kind: Kind, ours: Ours, there: str, todo: str, mend: Mend | None = None
    ) -> Difference:
        attempt = ours.attempt
        here = f"{attempt.state} {attempt.amount}"
        return Difference(kind, attempt.order_id, here, there, todo, attempt.id, mend)


def _said(transactions: Sequence[Transaction]) -> str:
    said = (f"{one.standing} {one.amount} ({one.id})" for one in transactions)
    return ", ".join(said) or "nothing"

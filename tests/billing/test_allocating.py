"""A payment spread over invoices: whatever the amounts, nothing is lost and nothing paid twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.allocating import Chosen, as_chosen, in_full, oldest_first
from ivr.billing.errors import AmountOutOfRange, CurrencyMismatch
from ivr.billing.invoices import Invoice, in_order, total_due
from ivr.billing.money import Money, total
from ivr.billing.payments import Allocation
from tests.billing.bills import bills, parts_of
from tests.dialogue.company import invoice

OLD, NEW = invoice(7, "10.00"), invoice(8, "30.00")


def paid_so_far(invoices: list[Invoice], chosen: Chosen) -> list[Invoice]:
    """The same invoices once that was paid."""
    return [
        replace(each, paid=each.paid + chosen.amounts[each.id])
        if each.id in chosen.amounts
        else each
        for each in invoices
    ]


@given(st.data())
def test_a_part_is_spread_to_the_last_minor_unit(data: st.DataObject) -> None:
    invoices = data.draw(bills())
    amount = data.draw(parts_of(invoices))
    chosen = oldest_first(invoices, amount)
    assert chosen.amount == total(chosen.amounts.values(), amount.currency) == amount
    assert chosen.is_part == (amount != total_due(invoices))


@given(st.data())
def test_no_invoice_gets_more_than_its_due_and_none_is_named_for_nothing(
    data: st.DataObject,
) -> None:
    invoices = data.draw(bills())
    chosen = oldest_first(invoices, data.draw(parts_of(invoices)))
    due = {each.id: each.due for each in invoices}
    for invoice_id, part in chosen.amounts.items():
        assert Money.zero(part.currency) < part <= due[invoice_id]


@given(st.data())
def test_a_newer_invoice_gets_something_only_when_every_older_one_is_paid(
    data: st.DataObject,
) -> None:
    invoices = data.draw(bills())
    chosen = oldest_first(invoices, data.draw(parts_of(invoices)))
    assert list(chosen.invoices) == in_order(invoices)
    for older, newer in pairwise(chosen.invoices):
        assert newer.id not in chosen.amounts or chosen.amounts[older.id] == older.due


@given(st.data())
def test_the_order_in_which_invoices_come_changes_nothing(data: st.DataObject) -> None:
    invoices = data.draw(bills())
    amount = data.draw(parts_of(invoices))
    shuffled = data.draw(st.permutations(invoices))
    assert oldest_first(shuffled, amount) == oldest_first([*invoices, *shuffled], amount)


@given(st.data())
def test_two_parts_pay_the_same_as_both_at_once(data: st.DataObject) -> None:
    invoices = data.draw(bills())
    both = data.draw(parts_of(invoices))
    first = data.draw(st.integers(0, both.minor_units).map(lambda units: _of(units, both)))
    after = paid_so_far(invoices, oldest_first(invoices, first)) if first else invoices
    rest = both - first
    at_last = paid_so_far(after, oldest_first(after, rest)) if rest else after
    assert at_last == paid_so_far(invoices, oldest_first(invoices, both))


def _of(units: int, like: Money) -> Money:
    return Money.of_minor_units(units, like.currency)


@given(bills())
def test_all_that_is_due_is_each_invoice_in_full(invoices: list[Invoice]) -> None:
    everything = in_full(invoices)
    assert everything == oldest_first(invoices, total_due(invoices))
    assert not everything.is_part
    assert all(not each.due for each in paid_so_far(invoices, everything))


@given(bills(), st.integers(1, 1000))
def test_more_than_is_due_cannot_be_paid(invoices: list[Invoice], units: int) -> None:
    with pytest.raises(AmountOutOfRange):
        oldest_first(invoices, total_due(invoices) + _of(units, invoices[0].amount))
    with pytest.raises(AmountOutOfRange):
        as_chosen(invoices, {1: invoices[0].due + _of(units, invoices[0].amount)})


@given(st.data())
def test_what_somebody_chooses_is_paid_so_and_no_coin_more(data: st.DataObject) -> None:
    invoices = data.draw(bills())
    some = data.draw(st.lists(st.sampled_from(invoices), min_size=1, unique_by=lambda one: one.id))
    wanted = {each.id: data.draw(parts_of([each])) for each in some}
    chosen = as_chosen(data.draw(st.permutations(invoices)), wanted)
    assert chosen.amounts == wanted
    assert chosen.amount.minor_units == sum(each.minor_units for each in wanted.values())
    assert [each.invoice_id for each in chosen.allocations] == [
        each.id for each in in_order(invoices) if each.id in wanted
    ]
    for before, after in zip(invoices, paid_so_far(invoices, chosen), strict=True):
        assert after.due + wanted.get(before.id, Money.zero(before.due.currency)) == before.due
        assert not after.due < Money.zero(after.due.currency)


@given(st.data())
def test_part_after_part_ends_with_every_invoice_paid_to_the_coin(data: st.DataObject) -> None:
    """However they are taken, oldest first or as chosen; and then no more can be paid."""
    left = data.draw(bills())
    due, paid = total_due(left), 0
    for _ in range(5):
        owed = [each for each in left if each.due]
        if not owed:
            break
        part = data.draw(parts_of(owed))
        one = data.draw(st.sampled_from(owed))
        is_chosen = data.draw(st.booleans())
        chosen = as_chosen(left, {one.id: one.due}) if is_chosen else oldest_first(left, part)
        left, paid = paid_so_far(left, chosen), paid + chosen.amount.minor_units
        assert paid + total_due(left).minor_units == due.minor_units
    rest = [each for each in left if each.due]
    if rest:
        left = paid_so_far(left, in_full(rest))
    assert all(each.paid == each.amount for each in left)
    with pytest.raises(AmountOutOfRange):
        oldest_first(left, _of(1, due))


def test_a_part_goes_to_the_oldest_and_what_is_left_to_the_next() -> None:
    chosen = oldest_first([NEW, OLD], Money.of(25, "EUR"))
    assert chosen.amounts == {OLD.id: Money.of(10, "EUR"), NEW.id: Money.of(15, "EUR")}


def test_the_ledger_gets_each_invoice_once_the_oldest_first() -> None:
    chosen = in_full([NEW, OLD, NEW])
    assert chosen.allocations == (Allocation(OLD.id, OLD.due), Allocation(NEW.id, NEW.due))


def test_who_pays_chooses_how_much_goes_where() -> None:
    chosen = as_chosen([OLD, NEW], {NEW.id: Money.of("12.34", "EUR")})
    assert (chosen.amount, chosen.is_part) == (Money.of("12.34", "EUR"), True)


@pytest.mark.parametrize(
    "amounts",
    [{}, {7: "0"}, {7: "-1.00"}, {9: "1.00"}, {7: "10.01"}, {7: "1.00", 8: "30.01"}],
    ids=["none", "zero", "below zero", "another invoice", "too much", "too much of one"],
)
def test_what_cannot_be_paid_is_refused(amounts: dict[int, str]) -> None:
    with pytest.raises(AmountOutOfRange):
        as_chosen([OLD, NEW], {each: Money.of(text, "EUR") for each, text in amounts.items()})


def test_an_invoice_with_nothing_due_gets_nothing() -> None:
    paid = replace(OLD, paid=OLD.amount)
    assert in_full([paid, NEW]).amounts == {NEW.id: NEW.due}
    with pytest.raises(AmountOutOfRange):
        in_full([paid])


def test_two_currencies_are_never_in_one_payment() -> None:
    dollars = invoice(9, "5.00", "USD")
    with pytest.raises(CurrencyMismatch):
        in_full([OLD, dollars])
    with pytest.raises(CurrencyMismatch):
        oldest_first([OLD, dollars], Money.of(3, "EUR"))
    with pytest.raises(CurrencyMismatch):
        as_chosen([OLD], {OLD.id: Money.of(3, "USD")})

"""Bank accounts taken out of the vault, whatever had become of them there, by the real SDK."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ivr.billing.bank_accounts import NotVerified
from ivr.billing.errors import GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import Captured, KeepCard
from ivr.gateways.bank_accounts import BraintreeAccounts
from ivr.gateways.braintree import Braintree
from ivr.lab.gateway import StandIn
from tests.gateways.clients import AGREED, card, card_token, keyed_account, vaulted_account
from tests.gateways.test_bank_accounts import debit


def vaulted(stand_in: StandIn) -> int:
    """How many accounts and customers the vault has, by its own book."""
    book = stand_in._ledger.book
    return len(book.vault) + len(book.customers)


async def test_an_account_that_is_forgotten_is_in_the_vault_no_more(
    gateway: Braintree, stand_in: StandIn
) -> None:
    means = await vaulted_account(gateway)
    assert isinstance(await debit(gateway, means), Captured)
    assert vaulted(stand_in) == 2
    await BraintreeAccounts(gateway).forget_account(AGREED.attempt_id)
    assert vaulted(stand_in) == 0
    with pytest.raises(GatewayRefused):
        await debit(gateway, means, order="another")


async def test_what_is_forgotten_or_was_never_there_is_forgotten_again(
    gateway: Braintree, stand_in: StandIn
) -> None:
    await vaulted_account(gateway)
    for attempt_id in (uuid4(), AGREED.attempt_id, AGREED.attempt_id):
        await BraintreeAccounts(gateway).forget_account(attempt_id)
    assert vaulted(stand_in) == 0


async def test_an_account_that_its_bank_does_not_know_is_forgotten_too(
    gateway: Braintree, stand_in: StandIn
) -> None:
    account = await keyed_account(gateway, "123456789")
    accounts = BraintreeAccounts(gateway)
    assert isinstance(await accounts.vault_account(account, AGREED, "USD"), NotVerified)
    assert vaulted(stand_in) == 2
    await accounts.forget_account(AGREED.attempt_id)
    assert vaulted(stand_in) == 0


@pytest.mark.parametrize("fault", ["reset-before", "reset-after", "500-after-capture"])
async def test_an_account_of_which_no_answer_came_is_forgotten_too(
    gateway: Braintree, stand_in: StandIn, fault: str
) -> None:
    account = await keyed_account(gateway)
    accounts = BraintreeAccounts(gateway)
    stand_in.faults.ask({"mode": fault, "on": ["vault"], "count": 1})
    with pytest.raises(OutcomeUnknown):
        await accounts.vault_account(account, AGREED, "USD")
    await accounts.forget_account(AGREED.attempt_id)
    assert vaulted(stand_in) == 0


async def test_a_vault_that_does_not_answer_is_asked_again(
    gateway: Braintree, stand_in: StandIn
) -> None:
    await vaulted_account(gateway)
    stand_in.faults.ask({"mode": "reset-before", "on": ["remove"], "count": 1})
    accounts = BraintreeAccounts(gateway)
    with pytest.raises(OutcomeUnknown):
        await accounts.forget_account(AGREED.attempt_id)
    assert vaulted(stand_in) == 2
    await accounts.forget_account(AGREED.attempt_id)
    assert vaulted(stand_in) == 0


async def test_a_card_that_a_customer_left_stays_when_accounts_go(
    gateway: Braintree, stand_in: StandIn
) -> None:
    outcome = await gateway.charge(
        means=card(await card_token(gateway)),
        amount=Money.of("1.00", "USD"),
        order_id="c",
        request_key="c",
        keep=KeepCard("somebody"),
    )
    assert isinstance(outcome, Captured)
    await vaulted_account(gateway)
    await BraintreeAccounts(gateway).forget_account(AGREED.attempt_id)
    assert list(stand_in._ledger.book.customers) == ["somebody"]
    assert len(stand_in._ledger.book.vault) == 1

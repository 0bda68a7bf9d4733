"""Bank accounts: the real SDK against the stand-in, from the digits to the webhook days later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ivr.billing.bank_accounts import NotVerified
from ivr.billing.errors import GatewayNotReached, GatewayRefused, OutcomeUnknown
from ivr.billing.money import Money
from ivr.billing.payments import (
    AttemptState,
    BankAccountOnHand,
    Captured,
    DeclineBucket,
    Refusal,
)
from ivr.billing.settling import Notification
from ivr.billing.transactions import Standing
from ivr.gateways.bank_accounts import BraintreeAccounts
from ivr.gateways.books import BraintreeBooks
from ivr.gateways.braintree import Braintree
from ivr.gateways.errors import ValidationRefused
from ivr.gateways.notifications import BraintreeNotifications
from ivr.gateways.test_accounts import ANSWERS, CHECKING_ONLY, ROUTING_NUMBER
from ivr.lab.gateway import StandIn
from ivr.lab.gateway_bank import signed
from tests.gateways.charging import charge, ledger, taken
from tests.gateways.clients import (
    AGREED,
    GOOD_ACCOUNT,
    card_token,
    keyed_account,
    vaulted_account,
)


async def debit(
    gateway: Braintree,
    means: BankAccountOnHand,
    *,
    amount: str = "42.50",
    order: str = "o",
    key: str = "",
) -> Captured | Refusal:
    return await gateway.charge(
        means=means,
        amount=Money.of(amount, "USD"),
        order_id=order,
        request_key=key or f"key-{order}",
    )


async def test_an_account_is_vaulted_and_debited_by_telephone(
    gateway: Braintree, tmp_path: Path
) -> None:
    outcome = await debit(gateway, await vaulted_account(gateway))
    assert isinstance(outcome, Captured)
    assert outcome.processor_code == "1000"
    (made,) = ledger(tmp_path)
    assert (made.status, made.merchant_account_id) == ("settlement_pending", "saldo_usd")
    assert (made.id, made.order_id) == (outcome.transaction_id, "o")


async def test_no_number_of_an_account_is_kept_by_the_stand_in(
    gateway: Braintree, tmp_path: Path
) -> None:
    await debit(gateway, await vaulted_account(gateway))
    written = (tmp_path / "gateway.jsonl").read_text()
    assert GOOD_ACCOUNT not in written
    assert ROUTING_NUMBER not in written


@pytest.mark.parametrize("number", [*ANSWERS, "123456789"])
async def test_the_bank_knows_the_published_accounts_and_no_other(
    gateway: Braintree, number: str
) -> None:
    code = ANSWERS[number][0] if number in ANSWERS else "2038"
    account = await keyed_account(gateway, number)
    found = await BraintreeAccounts(gateway).vault_account(account, AGREED, "USD")
    if code in ("1000", "1003"):
        assert isinstance(found, BankAccountOnHand)
        assert (found.mandate, found.agreed_at) == (AGREED.wording, AGREED.accepted_at)
    else:
        assert found == NotVerified(code)


async def test_an_account_that_is_no_checking_account_is_good_as_a_savings_account(
    gateway: Braintree,
) -> None:
    account = await keyed_account(gateway, CHECKING_ONLY, accountType="SAVINGS")
    found = await BraintreeAccounts(gateway).vault_account(account, AGREED, "USD")
    assert isinstance(found, BankAccountOnHand)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"routingNumber": "011000016"}, "routingNumber"),
        ({"accountNumber": "123"}, "accountNumber"),
        ({"achMandate": ""}, "achMandate"),
        ({"individualOwner": None}, "usBankAccount"),
    ],
)
async def test_what_is_wrong_with_an_account_is_named(
    gateway: Braintree, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationRefused) as refused:
        await keyed_account(gateway, **changes)
    assert [fault.field.rpartition(".")[2] for fault in refused.value.faults] == [field]


async def test_a_token_is_vaulted_once(gateway: Braintree) -> None:
    account, accounts = await keyed_account(gateway), BraintreeAccounts(gateway)
    await accounts.vault_account(account, AGREED, "USD")
    with pytest.raises(GatewayRefused):
        await accounts.vault_account(account, AGREED, "USD")


async def test_a_currency_without_a_merchant_account_vaults_nothing(gateway: Braintree) -> None:
    with pytest.raises(GatewayRefused, match="merchant_accounts"):
        await BraintreeAccounts(gateway).vault_account(await keyed_account(gateway), AGREED, "CHF")


async def test_a_token_of_the_secure_part_cannot_be_charged(
    gateway: Braintree, tmp_path: Path
) -> None:
    account = await keyed_account(gateway)
    means = BankAccountOnHand(account.last4, account.account_type, account.token)
    with pytest.raises(GatewayRefused):
        await debit(gateway, means)
    assert ledger(tmp_path) == []


async def test_the_same_debit_sent_again_takes_the_money_once(
    gateway: Braintree, stand_in: StandIn, tmp_path: Path
) -> None:
    means = await vaulted_account(gateway)
    stand_in.faults.ask({"mode": "reset-after", "on": ["sale"], "count": 1})
    with pytest.raises(OutcomeUnknown):
        await debit(gateway, means)
    again = await gateway.send_again(
        means=means, amount=Money.of("42.50", "USD"), order_id="o", request_key="key-o"
    )
    assert isinstance(again, Captured)
    assert len(taken(tmp_path)) == 1


async def test_a_merchant_without_request_keys_is_charged_without_one(
    gateway: Braintree, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.faults.ask({"mode": "refuse-keys"})
    assert isinstance(await debit(gateway, await vaulted_account(gateway)), Captured)
    assert not gateway.request_keys
    assert len(taken(tmp_path)) == 1


async def test_an_equal_debit_without_a_key_is_a_duplicate_and_adopted(
    gateway: Braintree, tmp_path: Path
) -> None:
    means = await vaulted_account(gateway)
    gateway.request_keys = False
    first = await debit(gateway, means)
    assert isinstance(first, Captured)
    second = await debit(gateway, means)
    assert isinstance(second, Captured)
    assert second.transaction_id == first.transaction_id
    assert len(taken(tmp_path)) == 1


async def test_a_key_used_for_another_debit_is_never_called_not_charged(
    gateway: Braintree,
) -> None:
    means = await vaulted_account(gateway)
    await debit(gateway, means, key="k")
    with pytest.raises(OutcomeUnknown):
        await debit(gateway, means, order="p", key="k")


async def test_a_declined_debit_says_what_may_follow(gateway: Braintree) -> None:
    outcome = await debit(gateway, await vaulted_account(gateway), amount="2001.00")
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.bucket) == ("2001", DeclineBucket.SOFT)
    assert outcome.about_funds


@pytest.mark.parametrize(
    ("fault", "error"),
    [("reset-before", OutcomeUnknown), ("500-after-capture", OutcomeUnknown)],
)
async def test_an_answer_that_is_lost_is_an_unknown_outcome(
    gateway: Braintree, stand_in: StandIn, fault: str, error: type[Exception]
) -> None:
    means = await vaulted_account(gateway)
    stand_in.faults.ask({"mode": fault, "on": ["sale"], "count": 1})
    with pytest.raises(error):
        await debit(gateway, means)


async def test_a_gateway_that_is_away_vaults_nothing(stand_in: StandIn, gateway: Braintree) -> None:
    account = await keyed_account(gateway)
    await stand_in.stop()
    with pytest.raises(GatewayNotReached):
        await BraintreeAccounts(gateway).vault_account(account, AGREED, "USD")


# Days later


class Saldo:
    """Where webhooks arrive."""

    def __init__(self, gateway: Braintree) -> None:
        self.notifications = BraintreeNotifications(gateway)
        self.told: list[Notification | None] = []

    async def take(self, request: web.Request) -> web.Response:
        form = await request.post()
        signature, payload = str(form["bt_signature"]), str(form["bt_payload"])
        self.told.append(await self.notifications.read(signature, payload))
        return web.Response(status=204)


@pytest.fixture
async def saldo(gateway: Braintree, stand_in: StandIn) -> AsyncIterator[Saldo]:
    saldo, app = Saldo(gateway), web.Application()
    app.router.add_post("/", saldo.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession() as session:
        await session.put(f"{stand_in.url}/bank/webhooks", json={"url": url})
    yield saldo
    await runner.cleanup()


async def later(stand_in: StandIn, order: str, what: str, query: str = "") -> dict[str, Any]:
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{stand_in.url}/bank/{order}/{what}{query}")
        found: dict[str, Any] = await answer.json()
        return {"code": answer.status, **found}


async def test_settlement_and_return_are_told_signed(
    gateway: Braintree, stand_in: StandIn, saldo: Saldo
) -> None:
    outcome = await debit(gateway, await vaulted_account(gateway))
    assert isinstance(outcome, Captured)
    assert (await later(stand_in, "o", "settle"))["webhook"] == 204
    assert (await later(stand_in, "o", "return", "?code=R10"))["webhook"] == 204
    first, second = saldo.told
    assert first
    assert second
    assert (first.kind, first.tells) == ("transaction_settled", AttemptState.SETTLED)
    assert (second.kind, second.tells) == (
        "transaction_settlement_declined",
        AttemptState.RETURNED,
    )
    assert {first.transaction_id, second.transaction_id} == {outcome.transaction_id}
    assert (first.reason, second.reason) == ("", "R10")
    assert first.order_id == "o"
    assert first.digest != second.digest


async def test_what_the_books_say_brings_a_lost_webhook_over(
    gateway: Braintree, stand_in: StandIn, saldo: Saldo
) -> None:
    await debit(gateway, await vaulted_account(gateway))
    books = BraintreeBooks(gateway)
    standings = [(await books.of_order("o"))[0].standing]
    for what in ("settle", "return"):
        assert (await later(stand_in, "o", what, "?lost=1"))["webhook"] is None
        standings.append((await books.of_order("o"))[0].standing)
    assert standings == [Standing.CAPTURED, Standing.SETTLED, Standing.RETURNED]
    assert saldo.told == []


async def test_the_bank_returns_nothing_twice_and_nothing_that_it_has_not(
    gateway: Braintree, stand_in: StandIn
) -> None:
    await debit(gateway, await vaulted_account(gateway))
    assert (await later(stand_in, "o", "return"))["code"] == 200
    assert (await later(stand_in, "o", "return"))["code"] == 422
    assert (await later(stand_in, "o", "settle"))["code"] == 422
    assert (await later(stand_in, "nobody", "settle"))["code"] == 404


@pytest.mark.parametrize("kind", ["dispute_opened", "check", "transaction_disbursed"])
async def test_other_kinds_of_the_sdk_are_read_and_tell_us_nothing(
    gateway: Braintree, kind: str
) -> None:
    sample = await gateway.ask(lambda sdk: sdk.webhook_testing.sample_notification(kind, "tx1"))
    told = await BraintreeNotifications(gateway).read(
        sample["bt_signature"], sample["bt_payload"].decode()
    )
    assert told
    assert (told.kind, told.tells) == (kind, None)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("transaction_settled", AttemptState.SETTLED),
        ("transaction_settlement_declined", AttemptState.RETURNED),
    ],
)
async def test_the_sdks_own_samples_of_debits_are_understood(
    gateway: Braintree, kind: str, state: AttemptState
) -> None:
    sample = await gateway.ask(lambda sdk: sdk.webhook_testing.sample_notification(kind, "tx1"))
    told = await BraintreeNotifications(gateway).read(
        sample["bt_signature"], sample["bt_payload"].decode()
    )
    assert told
    assert (told.tells, told.transaction_id) == (state, "tx1")


@pytest.mark.parametrize(
    ("signature", "payload"),
    [
        ("", ""), ("saldo_public|00", "QQ=="), ("nobody|00", "QQ=="), ("no pipe", "QQ=="),
        ("saldo_public|00", "<not base64>"), ("é", "é"),
    ],
)  # fmt: skip
async def test_what_braintree_did_not_sign_is_nothing(
    gateway: Braintree, signature: str, payload: str
) -> None:
    assert await BraintreeNotifications(gateway).read(signature, payload) is None


async def test_a_payload_changed_after_it_was_signed_is_nothing(
    gateway: Braintree, stand_in: StandIn
) -> None:
    account = stand_in.account
    good = signed("<notification/>", account.public_key, account.private_key)
    other = signed("<notification2/>", account.public_key, account.private_key)
    forged = signed("<notification/>", account.public_key, "another key")
    read = BraintreeNotifications(gateway).read
    assert await read(good["bt_signature"], other["bt_payload"]) is None
    assert await read(forged["bt_signature"], forged["bt_payload"]) is None


async def test_a_card_is_charged_as_ever(gateway: Braintree, tmp_path: Path) -> None:
    assert isinstance(await charge(gateway, token=await card_token(gateway)), Captured)
    assert ledger(tmp_path)[0].status == "submitted_for_settlement"

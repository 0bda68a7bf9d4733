"""What a sale says of each means of payment."""

from uuid import uuid4

import pytest

from ivr.billing.payments import (
    BankAccountOnHand,
    CardOnFile,
    CardOnHand,
    KeepCard,
    MeansOnHand,
    PayPalOnHand,
)
from ivr.gateways.sales import charged_with

CARD = CardOnHand("visa", "1111", "1230", "tokencc_one")


@pytest.mark.parametrize(
    ("means", "named"),
    [
        (CARD, {"payment_method_nonce": "tokencc_one", "transaction_source": "moto"}),
        (
            CardOnFile(uuid4(), "visa", "1111", "1230", "vaulted"),
            {"payment_method_token": "vaulted", "transaction_source": "moto"},
        ),
        (
            BankAccountOnHand("0000", "checking", "vaulted"),
            {
                "payment_method_token": "vaulted",
                "us_bank_account": {"ach_mandate_text": "", "ach_mandate_accepted_at": None},
            },
        ),
        (PayPalOnHand("j…@example.com", "tokenpp"), {"payment_method_nonce": "tokenpp"}),
    ],
    ids=lambda value: getattr(value, "method", ""),
)
def test_a_card_is_a_telephone_order_whether_keyed_or_on_file_and_nothing_else_is(
    means: MeansOnHand, named: dict[str, object]
) -> None:
    assert charged_with(means, None) == {**named, "options": {"submit_for_settlement": True}}


def test_a_card_is_kept_for_its_customer_if_the_sale_succeeds() -> None:
    said = charged_with(CARD, KeepCard("saldo-customer"))
    assert said["customer_id"] == "saldo-customer"
    assert said["options"]["store_in_vault_on_success"] is True

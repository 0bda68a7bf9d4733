"""Account number and postal code: together, or not at all."""

import pytest

from ivr.billing.errors import LedgerUnavailable
from ivr.billing.identifying import identify
from tests.fakes.storage import FakeCompany, FakeDirectory


@pytest.mark.parametrize(
    ("account", "postal_code", "found"),
    [
        ("1042", "28013", True),
        ("1042", "28014", False),
        ("1042", "", False),
        ("9999", "28013", False),
        ("9999", "\0", False),
        ("9999", "", False),
    ],
)
async def test_only_the_right_pair_opens_an_account(
    account: str,
    postal_code: str,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    company = FakeCompany()
    james = company.customer("1042", postal_code="28013")
    customer = await identify(FakeDirectory(company), account, postal_code)
    assert customer == (james if found else None)


async def test_a_directory_that_is_away_is_not_a_wrong_code() -> None:
    company = FakeCompany(away=True)
    with pytest.raises(LedgerUnavailable):
        await identify(FakeDirectory(company), "1042", "28013")

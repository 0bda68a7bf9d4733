"""Account number and postal code: together, or not at all."""

import pytest

from ivr.billing.customers import Customer, CustomerKind
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.identifying import confirmed_in_full, identify
from ivr.billing.matches import Named
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


PERSON, COMPANY = CustomerKind.PERSON, CustomerKind.COMPANY


@pytest.mark.parametrize(
    ("confirmed", "kind", "name", "in_full"),
    [
        ("María García López", PERSON, "García López, María", True),
        ("John Baker", PERSON, "Jon Baker", True),
        ("James Smith", PERSON, "Dr. James T. Smith", True),
        ("Ruiz Hermanos", COMPANY, "Ruiz Hermanos, S.L.", True),
        ("María García", PERSON, "María García López", False),
        ("Talleres Hermanos", COMPANY, "Talleres Hermanos Ruiz, S.L.", False),
        ("", PERSON, "James Smith", False),
    ],
)
def test_who_confirmed_a_part_of_a_name_has_not_confirmed_the_whole(
    confirmed: str,
    kind: CustomerKind,
    name: str,
    in_full: bool,  # noqa: FBT001 - a column of the table
) -> None:
    customer = Customer(1, "1042", kind, name, "en", "28013")
    assert confirmed_in_full(Named(confirmed, (1,), 0.0), customer) is in_full

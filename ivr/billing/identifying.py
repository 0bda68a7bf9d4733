"""Who is calling: an account number or a name, and a second factor, together or not at all."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from ivr.billing.customers import Customer
from ivr.billing.matches import Choose, Decision, Hypothesis, Named, Sure, Unsure
from ivr.billing.names import form
from ivr.billing.ports import Directory, Names

BEHIND_COSTS = 0.15
"""for each unit by which a guess fits the sound less than the best one, as a logarithm"""
NOBODY = Named("", (), inf)
"""what is looked up when no name was found, so that this takes as long"""
FEWEST_WORDS = 2
"""heard of a caller before names are offered: one word is too little to tell a customer by"""


async def identify(directory: Directory, account_number: str, postal_code: str) -> Customer | None:
    """The customer whose account and postal code these are, else None.

    An unknown account and a wrong postal code cannot be told apart, in words or in time: one
    query and one comparison either way. Raises LedgerUnavailable.
    """
    customer = await directory.by_account_number(account_number)
    expected = customer.postal_code if customer else "\0"
    if hmac.compare_digest(expected.encode(), postal_code.encode()):
        return customer
    return None


def hypotheses(guesses: Sequence[str], behind: Sequence[float]) -> list[Hypothesis]:
    """What a recogniser may have heard, with what each guess costs for fitting less than others."""
    return [
        Hypothesis(text, BEHIND_COSTS * less) for text, less in zip(guesses, behind, strict=True)
    ]


async def find(
    names: Names, heard: Sequence[Hypothesis], language: str, calling_number: str
) -> Sure | Choose | Unsure:
    """Whose name was said, of what may have been heard, likeliest first.

    Of a name no more is told than was said of it; unsure too of a choice when that was one word.
    Raises LedgerUnavailable, and PronunciationUnavailable when nobody knows how words are
    pronounced.
    """
    decision = await names.by_spoken_name(heard, language, calling_number)
    words = max((len(one.text.split()) for one in heard), default=0)
    if isinstance(decision, Choose) and words < FEWEST_WORDS:
        return Unsure()
    return decision


async def spelled(names: Names, keys: str, calling_number: str) -> Named:
    """All whose name may be spelled by these keys, as one; NOBODY if there is none.

    Raises LedgerUnavailable.
    """
    return together(await names.by_keys(keys, calling_number))


def together(decision: Decision) -> Named:
    """Everybody who may be meant: the second factor has to tell them apart."""
    match decision:
        case Sure(named):
            return named
        case Choose(likely):
            customers = tuple(customer for named in likely for customer in named.customers)
            return replace(likely[0], customers=customers)
    return NOBODY


async def identify_named(names: Names, named: Named, postal_code: str) -> Customer | None:
    """The only bearer of a name with this postal code, else None; one query either way.

    Raises LedgerUnavailable.
    """
    return await names.of_postal_code(named, postal_code)


def confirmed_in_full(named: Named, customer: Customer) -> bool:
    """Whether a caller who confirmed this name confirmed every word of the customer's.

    Who confirmed a part of it, or spelled it, may be somebody else at the same postal code.
    """
    confirmed, whole = (form(name, customer.kind).words for name in (named.name, customer.name))
    return len(confirmed) >= len(whole)

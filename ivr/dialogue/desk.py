"""What a conversation works with: the customers, their invoices, and the way to charge a card."""

from __future__ import annotations

from dataclasses import dataclass, field

from ivr.billing.keeping import Keeping
from ivr.billing.methods import Method
from ivr.billing.paying import Paying
from ivr.billing.ports import Captures, Directory, Invoices, Names
from ivr.billing.terms import Terms


@dataclass(frozen=True, slots=True)
class Desk:
    """One for the whole app; a conversation keeps nothing in it."""

    directory: Directory
    invoices: Invoices
    captures: Captures
    paying: Paying
    brands: tuple[str, ...]
    """accepted card brands, in Braintree's words: visa, mastercard, amex, discover"""
    postal_code_length: int = 0
    """digits of the customers' postal codes, taken without waiting for more; 0 when they differ"""
    names: Names | None = None
    """who knows how customers are called; None: they are not asked for their names"""
    methods: tuple[Method, ...] = (Method.CARD,)
    """what may be paid with, in the order in which it is offered"""
    keeping: Keeping | None = None
    """cards on file; None: nothing is known of any"""
    keep_cards: bool = False
    """whether callers are asked to leave their cards"""
    terms: Terms = field(default_factory=Terms)
    """how small a part may be paid, and what paying costs"""

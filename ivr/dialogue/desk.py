"""What a conversation works with: the customers, their invoices, and the way to charge a card."""

from __future__ import annotations

from dataclasses import dataclass, field

from ivr.billing.customers import Customer
from ivr.billing.keeping import Keeping
from ivr.billing.limiting import Limiting
from ivr.billing.limits import Limits
from ivr.billing.mandating import Mandating
from ivr.billing.messages import ToCustomer
from ivr.billing.methods import Method
from ivr.billing.paying import Paying
from ivr.billing.ports import Captures, Directory, Invoices, Links, Names, Outbox
from ivr.billing.promising import Promising
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
    limiting: Limiting | None = None
    """how often may be tried; None: nobody counts, and limits of one call hold"""
    promising: Promising | None = None
    """None: no promise to pay is taken"""
    outbox: Outbox | None = None
    """what is told by text, mail and webhook"""
    ways: frozenset[ToCustomer] = frozenset(("text", "mail"))
    """by what customers are told anything"""
    for_another: str = ""
    """the currency in which may be paid for an account by its number only; empty: in none"""
    links: Links | None = None
    """links to the pay page; None: there is no page, and no link is offered"""
    link_minutes: float = 1440
    """how long a link may be used"""
    mandating: Mandating | None = None
    """debits of bank accounts; None: there are none"""
    link_wait_seconds: float = 300
    """how long a call waits for a payment by its link"""

    async def ways_to(self, customer: Customer) -> frozenset[ToCustomer]:
        """By what this customer can be told anything. Raises LedgerUnavailable."""
        return self.ways & await self.directory.ways_to(customer.id)

    @property
    def limits(self) -> Limits:
        return self.limiting.limits if self.limiting else Limits()

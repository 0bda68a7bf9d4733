"""Links that staff ask for: made once for each request key, and sent to what is on file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ivr.billing.allocating import Chosen
from ivr.billing.choosing import payable
from ivr.billing.errors import KeyUsedBefore, LinkNotFound, NotPayable, NotReachable
from ivr.billing.links import (
    Bill,
    Link,
    LinkAttempt,
    LinkMade,
    LinkNow,
    LinkState,
    LinkWish,
)
from ivr.billing.messages import ToCustomer
from ivr.billing.ports import Directory, Invoices
from ivr.billing.terms import Terms

SETTINGS = {"text": "texts", "mail": "mail"}
ON_FILE = {"text": "telephone number", "mail": "e-mail address"}


class LinksOfStaff(Protocol):
    """Links, as staff needs them. Every method raises LedgerUnavailable."""

    async def keep(self, wish: LinkWish, customer_id: int, chosen: Chosen) -> LinkMade | None:
        """A new link with the messages that bring it, in one commit; None if its key is taken."""
        ...

    async def of_key(self, key: str) -> LinkMade | None: ...

    async def find(self, link_id: int) -> LinkMade | None: ...

    async def revoke(self, link_id: int, who: str = "") -> bool:
        """No page is shown for it any more; False when it was never made."""
        ...

    async def bill(self, link_id: int) -> Bill | None:
        """What it shows; None when it cannot be used."""
        ...

    async def last_paid(self, link_id: int) -> LinkAttempt | None: ...


class Linking:
    """What staff does with links."""

    def __init__(
        self,
        links: LinksOfStaff,
        directory: Directory,
        invoices: Invoices,
        terms: Terms,
        ways: Collection[ToCustomer],
    ) -> None:
        """`ways` are those by which the company sends anything."""
        self._links = links
        self._directory = directory
        self._invoices = invoices
        self._terms = terms
        self._ways = ways

    async def make(self, wish: LinkWish) -> Link:
        """A link; for the same wish with the same key the same one, sent once.

        Raises NotPayable, NotReachable, KeyUsedBefore, LedgerUnavailable.
        """
        made = await self._links.of_key(wish.key) or await self._new(wish)
        if made is None:  # the same was asked for at the same time
            made = await self._links.of_key(wish.key)
        if made is None or made.digest != wish.digest:
            raise KeyUsedBefore("this key was used for another link: take a new one")
        return made.link

    async def _new(self, wish: LinkWish) -> LinkMade | None:
        chosen = await self._chosen(wish)
        customer_id = chosen.invoices[0].customer_id
        ways = await self._directory.ways_to(customer_id) if wish.tell else ()
        for way in wish.tell:
            if way not in self._ways:
                raise NotReachable(f"no {way} can be sent: set [{SETTINGS[way]}] up")
            if way not in ways:
                raise NotReachable(f"no {ON_FILE[way]} of this customer is on file")
        return await self._links.keep(wish, customer_id, chosen)

    async def _chosen(self, wish: LinkWish) -> Chosen:
        """What the link is for. Raises NotPayable."""
        numbers = wish.invoices or await self._all_due(wish.account)
        _, chosen = await payable(
            self._directory,
            self._invoices,
            self._terms,
            account=wish.account,
            numbers=numbers,
            amount=wish.amount,
        )
        if chosen is None:
            raise NotPayable("name an account or invoices")
        return chosen

    async def _all_due(self, account: str) -> tuple[str, ...]:
        customer = await self._directory.by_external_id(account) if account else None
        if customer is None:
            return ()
        unpaid = await self._invoices.unpaid(customer.id)
        if not unpaid:
            raise NotPayable("nothing is due on this account")
        return tuple(invoice.number for invoice in unpaid)

    async def look(self, link_id: int) -> LinkNow:
        """A link as it is now. Raises LinkNotFound, LedgerUnavailable."""
        made = await self._links.find(link_id)
        if made is None:
            raise LinkNotFound("there is no link of this id")
        bill = await self._links.bill(link_id)
        return LinkNow(made.link, _state(made, bill), await self._links.last_paid(link_id))

    async def revoke(self, link_id: int, who: str) -> None:
        """Make it useless; again changes nothing. Raises LinkNotFound, LedgerUnavailable."""
        if not await self._links.revoke(link_id, who):
            raise LinkNotFound("there is no link of this id")


def _state(made: LinkMade, bill: Bill | None) -> LinkState:
    if made.is_revoked:
        return LinkState.REVOKED
    if bill is None:
        return LinkState.EXPIRED if made.is_over else LinkState.PAID
    if bill.confirming:
        return LinkState.CONFIRMING
    return LinkState.OPEN if bill.invoices else LinkState.PAID

"""Customers by name as a test decides it, in place of the index (billing.ports.Names)."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.billing.customers import Customer
from ivr.billing.matches import Decision, Hypothesis, Named, Unsure
from ivr.billing.sounds import PronunciationUnavailable
from tests.fakes.company import FakeCompany


class FakeNames:
    """Decides as `spoken` and `spelled` say, by the likeliest text and by the keys."""

    def __init__(self, company: FakeCompany) -> None:
        self.company = company
        self.spoken: dict[str, Decision] = {}
        self.spelled: dict[str, Decision] = {}
        self.looked_up: list[tuple[Named, str]] = []
        """names and postal codes"""
        self.heard: list[list[Hypothesis]] = []
        self.languages: list[str] = []
        self.mute = False
        """nobody knows how words are pronounced"""
        self.listened_for: tuple[str, ...] = ()

    async def at_hand(self) -> tuple[str, ...]:
        self.company.check()
        return self.listened_for

    async def by_spoken_name(
        self, heard: Sequence[Hypothesis], language: str, calling_number: str = ""
    ) -> Decision:
        self.company.check()
        if self.mute:
            raise PronunciationUnavailable("espeak-ng died twice (fake).")
        assert calling_number == "+34600111222"
        self.heard.append(list(heard))
        self.languages.append(language)
        return self.spoken.get(heard[0].text, Unsure())

    async def by_keys(self, keys: str, calling_number: str = "") -> Decision:
        self.company.check()
        assert calling_number == "+34600111222"
        return self.spelled.get(keys, Unsure())

    async def of_postal_code(self, named: Named, postal_code: str) -> Customer | None:
        self.company.check()
        self.looked_up.append((named, postal_code))
        bearers = [
            self.company.customers[customer]
            for customer in named.customers
            if self.company.customers[customer].postal_code == postal_code
        ]
        return bearers[0] if len(bearers) == 1 else None

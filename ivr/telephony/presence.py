"""Where one caller is, and waiting until that, or anything else about them, has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ivr.dialogue.endings import HungUp
from ivr.telephony.errors import ChannelGone, Refused
from ivr.telephony.places import Place
from ivr.telephony.waiting import Bell

T = TypeVar("T")

NOT_IN_STASIS = 409


class Presence:
    """One caller, as here, lent or gone; `on_left` is called once, when they are gone."""

    def __init__(self, on_left: Callable[[], None]) -> None:
        self.place = Place.HERE
        self.is_departing = False
        """an order that takes the caller from us is under way"""
        self.move_failed = False
        """nobody was there to take the caller of the last move"""
        self.bell = Bell()
        self._on_left = on_left

    @property
    def has_left(self) -> bool:
        """Whether the caller hung up, or was handed on for good."""
        return self.place is Place.LEFT

    def leave(self) -> None:
        """The caller is gone."""
        if not self.has_left:
            self.place = Place.LEFT
            self.bell.ring()
            self._on_left()

    def come_back(self) -> None:
        """The caller is with us, if not gone."""
        self.is_departing = False
        if self.place is Place.LENT:
            self.place = Place.HERE

    def must_be_there(self) -> None:
        """Raises HungUp when the caller is gone."""
        if self.has_left:
            raise HungUp

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return when it is so. Raises HungUp when the caller has left."""
        while True:
            self.must_be_there()
            if is_so():
                return
            await self.bell.heard()

    async def ask_pbx(self, request: Awaitable[T]) -> T:
        """The PBX's answer. Raises HungUp when it has no such caller any more."""
        try:
            return await request
        except ChannelGone:
            self.leave()
        except Refused as error:
            if error.status != NOT_IN_STASIS:
                raise
            self.leave()
        raise HungUp

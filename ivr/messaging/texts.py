"""Text messages to customers: as SIP MESSAGE through the PBX, or by a provider of texts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from ivr.billing.messages import Arrived, Delivery, Failed, Outcome, Skipped
from ivr.messaging.templates import Templates, TemplateWrong

NUMBER = "{number}"
"""where the customer's number goes in the settings' address"""
SIP = "pjsip:"
THREADS = 2


class NotTaken(Exception):
    """The text was not taken; the sentence says why."""


class Carrier(Protocol):
    """Takes texts to telephones."""

    async def carry(self, number: str, body: str) -> None:
        """Give it away. Raises NotTaken."""
        ...


class Texts:
    """Writes texts and gives them to a carrier."""

    def __init__(self, carrier: Carrier, templates: Templates, timeout_seconds: float = 20) -> None:
        self._carrier = carrier
        self._templates = templates
        self._timeout = timeout_seconds

    async def send(self, delivery: Delivery) -> Outcome:
        """Write it in the customer's language and give it away."""
        if not delivery.address:
            return Skipped("no telephone number on file")
        try:
            body = self._templates.text(delivery.kind, delivery.facts)
            async with asyncio.timeout(self._timeout):
                await self._carrier.carry(delivery.address, body)
        except TemplateWrong as error:
            return Failed(str(error), for_good=True)
        except TimeoutError:
            return Failed(f"the carrier of texts did not answer within {self._timeout:g} s")
        except NotTaken as error:
            return Failed(str(error))
        return Arrived()


class SipCarrier:
    """SIP MESSAGE (RFC 3428) through the PBX, which says that it sent it, not that it arrived."""

    def __init__(
        self, address: str, sender: str, message: Callable[[str, str, str], Awaitable[None]]
    ) -> None:
        """`message(to, sender, body)` asks the PBX; it raises NotTaken."""
        self._address = address
        self._sender = sender
        self._message = message

    async def carry(self, number: str, body: str) -> None:
        await self._message(self._address.replace(NUMBER, number), self._sender, body)


class ProviderCarrier:
    """Any provider of texts that apprise knows by a URL (docs/messages.md); close it.

    apprise blocks, so it has threads of its own, and its first use reads 150 files of Python.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="texts")

    def close(self) -> None:
        """Take nothing new; what is under way ends by its own limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def carry(self, number: str, body: str) -> None:
        address = self._address.replace(NUMBER, number.removeprefix("+"))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, _notify, address, body)


def _notify(address: str, body: str) -> None:
    import apprise  # noqa: PLC0415 - 20 MB, for those who use it

    notifier = apprise.Apprise()
    if not notifier.add(address):
        raise NotTaken("the provider of texts is unknown: check [texts] url")
    if not notifier.notify(body=body, body_format=apprise.NotifyFormat.TEXT):
        raise NotTaken("the provider did not take the text")

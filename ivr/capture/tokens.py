"""What comes of asking the gateway for a token, and what is needed of it for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ivr.billing.captures import ErrorType

TOKEN_SECONDS = 30.0
"""A token is no charge: giving up early costs nothing but another try."""


@dataclass(frozen=True, slots=True)
class CardRefused:
    """The gateway does not accept the card or bank account as keyed."""

    error_type: ErrorType


@dataclass(frozen=True, slots=True)
class GatewayAway:
    """No token: the gateway did not answer, or not as it should."""


class GraphQl(Protocol):
    """What is needed of `gateways.braintree.Braintree`."""

    async def graphql(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer's `data`. Raises GatewayError."""
        ...

"""The Idempotency-Key that a request comes with, so that it can be sent again safely."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from pydantic import AfterValidator


def _no_number(key: str) -> str:
    """The key itself; digits alone could be a card's number, and keys are kept."""
    if not any(character.isalpha() for character in key):
        raise ValueError("a key needs letters too: take a UUID")
    return key


IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9._:-]{8,128}$",
        description="A new one for each wish, such as a UUID; the same one to ask again safely",
    ),
    AfterValidator(_no_number),
]

"""Who may use the API, and what for: bearer keys, each with a name and its scopes."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer


class Scope(StrEnum):
    """What a key opens."""

    READ = "read"
    """lists of customers, lines, invoices, payments and calls"""
    CAPTURES = "captures"
    """cards taken while an agent talks with the caller"""
    REFUNDS = "refunds"
    """money given back"""
    REPORTS = "reports"
    """sums for the books"""
    LINKS = "links"
    """links to the pay page"""
    WEBHOOKS = "webhooks"
    """where webhooks go, and what became of them"""


ALL = frozenset(Scope)
HASHED = "sha256:"
"""a secret that begins so is the hash of one: what is kept in a file then opens nothing"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key; an empty secret opens nothing."""

    name: str
    """who acts with it, in the trail of refunds"""
    secret: str = field(repr=False)
    scopes: frozenset[Scope] = ALL


Holder = Callable[..., Key]
"""a dependency: the key that a request came with"""


class Keys:
    """All keys of a company."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple((_hash(key.secret), key) for key in keys if key.secret)

    def for_(self, scope: Scope | None) -> Holder:
        """A dependency that lets requests with a key of this scope pass, and gives the key.

        None: with any key. No key, or one that nobody has: 401. One for something else: 403
        (RFC 6750).
        """
        bearer = HTTPBearer(auto_error=False)

        def holder(
            given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        ) -> Key:
            key = self._find(given.credentials if given else "")
            if key is None:
                raise HTTPException(401, "A valid API key is needed: Authorization: Bearer …")
            if scope is not None and scope not in key.scopes:
                raise HTTPException(403, f"This API key is not for {scope}: see [web] keys")
            return key

        return holder

    def _find(self, secret: str) -> Key | None:
        # Every key is compared, so that the time tells nothing about any.
        given = hashlib.sha256(secret.encode()).hexdigest()
        found = [key for hashed, key in self._keys if hmac.compare_digest(given, hashed)]
        return found[0] if found else None


def _hash(secret: str) -> str:
    """Keys are drawn by chance, so that a plain hash is enough: nobody can try them all."""
    kept = secret.removeprefix(HASHED)
    return kept if kept != secret else hashlib.sha256(secret.encode()).hexdigest()


def routes(keys: Keys) -> APIRouter:
    """`/v1/key`: what a key is for."""
    router = APIRouter(prefix="/v1/key")

    @router.get("", summary="Whose the key of this request is, and what it opens")
    async def own(key: Annotated[Key, Depends(keys.for_(None))]) -> dict[str, Any]:
        return {"name": key.name, "scopes": sorted(key.scopes)}

    return router

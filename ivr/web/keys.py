"""Who may use the API."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer


def holders_of(*keys: str) -> Callable[..., None]:
    """A dependency that lets requests with one of these keys pass; an empty one opens nothing."""
    bearer = HTTPBearer(auto_error=False)

    def allowed(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        key = given.credentials.encode() if given else b""
        if not any(hmac.compare_digest(key, each.encode()) for each in keys if each):
            raise HTTPException(401, "A valid API key is needed: Authorization: Bearer …")

    return allowed

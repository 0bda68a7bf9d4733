"""Who may use the API."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer


def holders_of(api_key: str) -> Callable[..., None]:
    """A dependency that lets requests with this key pass; without a key nobody passes."""
    bearer = HTTPBearer(auto_error=False)

    def allowed(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        key = given.credentials if given else ""
        if not api_key or not hmac.compare_digest(key.encode(), api_key.encode()):
            raise HTTPException(401, "A valid API key is needed: Authorization: Bearer …")

    return allowed

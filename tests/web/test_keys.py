"""Keys of the API: a name, scopes, and what each is answered."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from ivr.api_keys import api_keys
from ivr.settings import Settings
from ivr.web.errors import add_handlers
from ivr.web.keys import Key, Keys, Scope

READER = Key("reader", "r" * 32, frozenset({Scope.READ}))
MASTER = Key("master", "m" * 32)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    keys = Keys([READER, MASTER, Key("nobody", "")])
    app = FastAPI()
    add_handlers(app)

    @app.get("/refunds")
    async def refunds(holder: Annotated[Key, Depends(keys.for_(Scope.REFUNDS))]) -> str:
        return holder.name

    @app.get("/lists")
    async def lists(holder: Annotated[Key, Depends(keys.for_(Scope.READ))]) -> str:
        return holder.name

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        yield asking


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_a_key_opens_its_scopes_and_says_whose_it_is(client: httpx.AsyncClient) -> None:
    for key in (READER, MASTER):
        answer = await client.get("/lists", headers=bearer(key.secret))
        assert answer.json() == key.name
    assert (await client.get("/refunds", headers=bearer(MASTER.secret))).json() == "master"


async def test_a_key_for_something_else_is_forbidden_and_hears_which_it_needs(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/refunds", headers=bearer(READER.secret))
    assert answer.status_code == 403
    assert "refunds" in answer.json()["title"]
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    "headers", [{}, bearer("x" * 32), bearer(""), {"Authorization": "Basic eA=="}]
)
async def test_no_key_or_one_that_nobody_has_is_not_let_in(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/lists", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_does_not_show_its_secret() -> None:
    assert READER.secret not in repr(READER)


async def test_the_settings_name_keys_beside_the_one_for_all_and_the_one_for_agents() -> None:
    named = {"name": "billing", "key": "b" * 32, "scopes": ["refunds", "read"]}
    web = {"api_key": "a" * 32, "agent_key": "g" * 32, "keys": [named]}
    keys = api_keys(Settings(web=web))
    app = FastAPI()

    for scope in Scope:
        app.get(f"/of/{scope}", dependencies=[Depends(keys.for_(scope))])(lambda: "in")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        opened = {
            secret: {
                scope
                for scope in Scope
                if (await asking.get(f"/of/{scope}", headers=bearer(secret * 32))).is_success
            }
            for secret in "agb"
        }
    assert opened == {
        "a": set(Scope), "g": {Scope.CAPTURES}, "b": {Scope.REFUNDS, Scope.READ},
    }  # fmt: skip


async def test_a_key_may_be_kept_as_its_hash_which_opens_nothing() -> None:
    secret = "s" * 32
    hashed = "sha256:" + hashlib.sha256(secret.encode()).hexdigest()
    keys = api_keys(Settings(web={"api_key": hashed}))
    app = FastAPI()
    app.get("/lists", dependencies=[Depends(keys.for_(Scope.READ))])(lambda: "in")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://saldo"
    ) as asking:
        answers = [
            (await asking.get("/lists", headers=bearer(each))).status_code
            for each in (secret, hashed, hashed.removeprefix("sha256:"))
        ]
    assert answers == [200, 401, 401]


@pytest.mark.parametrize("key", ["short", "sha256:" + "0" * 63, "sha256:" + "G" * 64])
def test_a_key_that_could_be_guessed_or_is_no_hash_is_refused(key: str) -> None:
    for name in ("api_key", "agent_key"):
        with pytest.raises(ValueError, match=name):
            Settings(web={name: key})


@pytest.mark.parametrize(
    "keys",
    [
        [("billing", "a"), ("billing", "b")],
        [("billing", "a"), ("dashboard", "a")],
        [("api_key", "a")],
        [("billing", "m")],
    ],
)
def test_no_two_keys_have_one_name_or_one_secret(keys: list[tuple[str, str]]) -> None:
    named = [{"name": name, "key": key * 32, "scopes": ["read"]} for name, key in keys]
    with pytest.raises(ValueError, match="tell them apart"):
        Settings(web={"api_key": "m" * 32, "keys": named})


def test_a_key_that_is_short_or_for_something_unknown_is_refused() -> None:
    for wrong in ({"key": "short"}, {"scopes": ["everything"]}, {"name": ""}):
        named = {"name": "billing", "key": "b" * 32, "scopes": ["read"], **wrong}
        with pytest.raises(ValueError, match="web"):
            Settings(web={"keys": [named]})

"""The dashboard as it is served: complete, from here alone, and with words for everything."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from enum import StrEnum

import httpx
import pytest
from prometheus_client import CollectorRegistry

from ivr.billing.methods import Method
from ivr.billing.payment_records import StepKind
from ivr.billing.payments import AttemptState
from ivr.billing.refunds import RefundKind
from ivr.web.api import PAGES, Sources, build
from ivr.web.keys import Key, Keys, Scope
from tests.billing.assistance import Assistance

FOLDER = next(page for page in PAGES if page.name == "dashboard")
SCRIPTS = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.js")}
SCRIPT = "\n".join(SCRIPTS.values())
WORDS: dict[str, dict[str, str]] = {
    language: json.loads((FOLDER / f"words.{language}.json").read_text(encoding="utf-8"))
    for language in ("en", "es")
}


async def get(path: str, secret: str = "") -> httpx.Response:
    keys = Keys([Key("billing", "b" * 32, frozenset({Scope.READ, Scope.REFUNDS}))])
    sources = Sources({}, {}, CollectorRegistry(), keys, Assistance().assisting)
    transport = httpx.ASGITransport(app=build(sources))
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        return await asking.get(path, headers=headers)


async def test_all_that_the_page_loads_comes_from_here() -> None:
    page = await get("/dashboard")
    assert page.headers["content-type"].startswith("text/html")
    loaded = set(re.findall(r'(?:src|href)="(/[^"]+)"', page.text))
    loaded |= set(re.findall(r'from "(/[^"]+)"', SCRIPT))
    assert loaded == {"/dashboard/dashboard.css", *(f"/dashboard/{name}" for name in SCRIPTS)}
    for path in [*loaded, "/dashboard/words.en.json", "/dashboard/words.es.json"]:
        answer = await get(path)
        assert answer.status_code == 200, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"https?://", answer.text)
    assert (await get("/dashboard/page.py")).status_code == 404


async def test_no_script_of_others_none_inline_and_no_frame_around_it() -> None:
    page = await get("/dashboard")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]* src=)|\son\w+=|\sstyle=", page.text) == []
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(", SCRIPT)


def test_the_key_is_kept_for_the_tab_only_and_never_in_an_address() -> None:
    assert "sessionStorage.setItem(KEY" in SCRIPTS["api.js"]
    assert re.findall(r"localStorage\.setItem\((\w+)", SCRIPT) == ["CHOSEN"]
    kept = [name for name, text in SCRIPTS.items() if "sessionStorage.getItem(KEY" in text]
    assert kept == ["api.js"]
    assert "Bearer" in SCRIPTS["api.js"]


async def test_a_key_tells_whose_it_is_and_what_it_opens() -> None:
    answer = await get("/v1/key", "b" * 32)
    assert answer.json() == {"name": "billing", "scopes": ["read", "refunds"]}
    assert (await get("/v1/key")).status_code == 401
    assert (await get("/v1/key", "x" * 32)).status_code == 401


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    english, spanish = WORDS.values()
    assert english.keys() == spanish.keys()
    assert [key for key in english if gaps(english[key]) != gaps(spanish[key])] == []
    same = {key for key in english if english[key] == spanish[key]}
    assert same <= {"amount-exact"}
    assert all(english.values())
    assert all(spanish.values())


def families() -> set[str]:
    """Words whose end is chosen by what happens, such as state-…; the end is tried below."""
    kinds = [each.value for each in RefundKind]
    pairs: list[tuple[str, Iterable[str]]] = [
        ("state-", AttemptState),
        ("method-", [each for each in Method if each is not Method.PAYPAL]),
        ("account-", ("checking", "savings")),
        ("step-", [each for each in StepKind if not is_told_by_kind(each)]),
        ("what-", kinds), ("do-", kinds), ("done-", kinds), ("sure-", kinds),
    ]  # fmt: skip
    found = {f"{prefix}{end}" for prefix, ends in pairs for end in ends}
    found |= {f"sure-{kind}-text" for kind in kinds}
    steps = [each for each in StepKind if is_told_by_kind(each)]
    return found | {f"step-{step}-{kind}" for step, kind in itertools.product(steps, kinds)}


def is_told_by_kind(step: StepKind) -> bool:
    return step.startswith("refund-") and step is not StepKind.REFUND_UNKNOWN


def test_there_are_words_for_everything_that_can_be() -> None:
    assert families() <= WORDS["en"].keys()


def test_every_word_is_said_somewhere_and_everything_said_has_words() -> None:
    literal = set(re.findall(r'"([a-z]+(?:-[a-z0-9]+)*)"', SCRIPT))
    said = set(re.findall(r'say\("([^"]+)"', SCRIPT))
    assert said <= WORDS["en"].keys()
    columns = re.search(r"COLUMNS = \[(.*?)\]", SCRIPT)
    groups = re.search(r"GROUPS = \{(.*?)\};", SCRIPT, re.DOTALL)
    statuses = re.search(r"new Set\(\[(.*?)\]\)", SCRIPT)
    assert columns
    assert groups
    assert statuses
    tables = {f"column-{each}" for each in re.findall(r'"(\w+)"', columns[1])}
    tables |= {f"group-{each}" for each in re.findall(r'"?([a-z-]+)"?: \[', groups[1])}
    tables |= {f"problem-{each}" for each in re.findall(r"\d+", statuses[1])}
    tables |= {f"section-{each}" for each in re.findall(r'name: "(\w+)", scope', SCRIPT)}
    unsaid = WORDS["en"].keys() - literal - families() - tables
    assert unsaid == set()
    assert tables <= WORDS["en"].keys()


@pytest.mark.parametrize(("words", "table"), [(AttemptState, "LOOKS"), (AttemptState, "GROUPS")])
def test_no_state_of_a_payment_is_forgotten(words: Iterable[StrEnum], table: str) -> None:
    found = re.search(rf"const {table} = \{{(.*?)\n\}};", SCRIPT, re.DOTALL)
    assert found
    written = found[1].replace('"', "")
    missing = [each.value for each in words if not re.search(rf"\b{each.value}\b", written)]
    assert missing == []


def test_every_control_has_a_label() -> None:
    controls = set(re.findall(r'(?:input|select|textarea)", \{[^}]*?id: "([a-z-]+)"', SCRIPT))
    assert len(controls) >= 6
    labelled = set(re.findall(r'for: "([a-z-]+)"', SCRIPT))
    inside = {"much-all", "much-part", "reopen"}  # choice() puts them into their labels
    assert controls == labelled | inside

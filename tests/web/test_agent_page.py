"""The agent page as it is served: complete, labelled, and with a word for everything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from html.parser import HTMLParser

import httpx
import pytest
from prometheus_client import CollectorRegistry

from ivr.billing.assisted_captures import CaptureStatus, FieldState, PaymentStatus
from ivr.billing.captures import ACCOUNT_ERRORS, ACCOUNT_FIELDS, CaptureField, ErrorType
from ivr.billing.payments import DeclineBucket
from ivr.web.api import PAGES, Sources, build
from ivr.web.keys import Keys
from tests.billing.assistance import Assistance

FOLDER = PAGES[0]
HTML = (FOLDER / "agent.html").read_text(encoding="utf-8")
SCRIPT = (FOLDER / "agent.js").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Ids, labels and what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.labels: set[str] = set()
        self.controls: set[str] = set()
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.feed(HTML)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag == "label":
            self.labels.add(values["for"])
        if tag in {"input", "select"}:
            self.controls.add(values["id"])
        self.loaded += [values[name] for name in ("src", "href") if name in values]
        self.handlers += [name for name in values if name.startswith("on") or name == "style"]


async def get(path: str) -> httpx.Response:
    sources = Sources({}, {}, CollectorRegistry(), Keys([]), Assistance().assisting)
    transport = httpx.ASGITransport(app=build(sources))
    async with httpx.AsyncClient(transport=transport, base_url="http://saldo") as asking:
        return await asking.get(path)


async def test_the_page_and_all_it_loads_come_from_here() -> None:
    page = await get("/agent")
    assert page.headers["content-type"].startswith("text/html")
    loaded = [path for path in Page().loaded if path != "data:,"]
    assert sorted(loaded) == ["/agent/agent.css", "/agent/agent.js"]
    for path in loaded:
        answer = await get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/")
        assert not re.search(r"https?://", answer.text)


async def test_no_script_of_others_and_no_frame_around_it() -> None:
    policy = (await get("/agent")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert Page().handlers == []
    assert "innerHTML" not in SCRIPT


def test_every_control_has_a_label() -> None:
    page = Page()
    assert page.controls
    assert page.controls == page.labels


def test_the_script_finds_every_part_it_looks_for() -> None:
    wanted = set(re.findall(r'\$\("([a-z-]+)"\)', SCRIPT))
    assert len(wanted) > 10
    assert wanted <= Page().ids


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([each for each in CaptureField if each not in ACCOUNT_FIELDS], "FIELDS"),
        (FieldState, "STATES"),
        ([each for each in ErrorType if each not in ACCOUNT_ERRORS], "ERRORS"),
        (CaptureStatus, "STATUSES"),
        (PaymentStatus, "PAYMENTS"),
        (DeclineBucket, "ADVICE"),
    ],
)
def test_the_page_has_a_sentence_for_everything_that_can_be(
    words: Iterable[StrEnum], name: str
) -> None:
    table = re.search(rf"const {name} = \{{(.*?)\n\}};", SCRIPT, re.DOTALL)
    assert table
    keys = set(re.findall(r'(?:^|[,{\s])"?([a-z-]+)"?: "', table[1]))
    assert keys == {word.value for word in words}


def test_the_key_is_kept_for_the_tab_only_and_never_in_an_address() -> None:
    assert "sessionStorage.setItem(KEY" in SCRIPT
    assert "localStorage.setItem(KEY" not in SCRIPT
    assert "EventSource(" not in SCRIPT

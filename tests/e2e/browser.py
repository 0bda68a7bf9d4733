"""A real browser, and what a person does on the pay page with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Frame,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

from ivr.lab.packages import Tree

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE_ON_A_PAGE = "axe.run(document, {iframes: false})"
AXE_IN_A_FRAME = (  # what is in a frame is no page, and needs no heading of its own
    "axe.run(document, {iframes: false, rules: {'page-has-heading-one': {enabled: false}}})"
)
PHONE = ViewportSize(width=360, height=740)
GOOD = "4111111111111111"
DECLINING = "4000111111111115"


expect.set_options(timeout=20_000)  # whole calls may be going on beside it


@asynccontextmanager
async def a_browser(tree: Tree) -> AsyncIterator[Browser]:
    """Chromium from Debian's packages, closed at the end."""
    program = str(tree.program("chromium-headless-shell"))
    environment: dict[str, str | float | bool] = {
        **os.environ,
        "LD_LIBRARY_PATH": tree.library_path,
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=list(FLAGS), env=environment
        )
        yield browser
        await browser.close()


class Visitor:
    """Somebody with a telephone in their hand."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        """of the browser: a blocked script, a policy broken"""
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    async def open(self, url: str) -> None:
        await self.page.goto(url)

    async def ready(self) -> None:
        """The card fields are there."""
        await expect(self.page.locator("#pay-card")).to_be_enabled()

    def field(self, name: str) -> Frame:
        frame = self.page.frame(name=f"braintree-hosted-field-{name}")
        assert frame
        return frame

    async def types_card(self, number: str = GOOD, expiry: str = "1231", cvv: str = "123") -> None:
        await self.ready()
        for name, value in (("number", number), ("expirationDate", expiry), ("cvv", cvv)):
            await self.field(name).fill("input", value)

    async def pays_by_card(self, number: str = GOOD) -> None:
        await self.types_card(number)
        await self.page.click("#pay-card")

    async def is_told(self, words: str) -> None:
        await expect(self.page.locator("#notice")).to_contain_text(words)

    async def sees_receipt(self) -> str:
        """The confirmation number."""
        await expect(self.page.locator("#paid")).to_be_visible()
        return await self.page.locator("#confirmation").inner_text()

    async def barriers(self) -> list[str]:
        """What axe finds in the page and in each frame of it: rule, and where."""
        first, found = self.page.main_frame, []
        for frame in self.page.frames:
            if await frame.evaluate("typeof axe === 'undefined'"):
                await frame.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
            outcome = await frame.evaluate(AXE_ON_A_PAGE if frame is first else AXE_IN_A_FRAME)
            found += [
                f"{rule['id']}: {node['html'][:120]} {node['failureSummary']}"
                for rule in outcome["violations"]
                for node in rule["nodes"]
            ]
        return found

"""What README and docs tell to type exists, and the page on scenarios knows every word of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivr.billing.calls import CallOutcome
from ivr.lab.scenario_file import ScenarioError, parse
from ivr.settings import PROJECT
from tests.cli.terminal import every_command

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
PAGES += [PROJECT / "docker/README.md", PROJECT / "asterisk-config/README.md"]
SCENARIOS = (PROJECT / "docs/scenarios.md").read_text(encoding="utf-8")
GROUPS = "|".join(sorted({words[0] for words in every_command() if len(words) > 1}))
COMMAND = re.compile(rf"^\s*(?:\S+/)?saldo ((?:{GROUPS}) )?([a-z]+)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def test_every_command_that_a_page_types_exists() -> None:
    known = {" ".join(words) for words in every_command()}
    typed: set[str] = set()
    for line in (line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()):
        code = line if line.startswith("    ") else "\n".join(re.findall(r"`([^`]+)`", line))
        typed |= {f"{group}{word}" for group, word in COMMAND.findall(code)}
    assert {"lab reset", "speech install", "call", "import"} <= typed
    assert typed - {"lab"} <= known


def test_every_make_target_that_the_readme_types_exists() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    typed = set(re.findall(r"make ([a-z-]+)", PAGES[0].read_text(encoding="utf-8")))
    assert {"demo", "test", "check"} <= typed <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_pages_example_is_a_scenario() -> None:
    ((example,),) = [re.findall(r"```yaml\n(.*?)```", SCENARIOS, re.DOTALL)]
    assert len(parse(example, "the page").steps) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        "nothing: 1",
        "name: x\nsteps: []\nexpect: {nothing: 1}",
        "name: x\nsteps: [{nothing: 1}]",
        "name: x\nsteps: [{hears: {nothing: 1}}]",
        "name: x\nsteps: [{press: {nothing: 1}}]",
        "name: x\nsteps: []\nexpect: {payments: [{nothing: 1}]}",
    ],
)
def test_every_key_of_a_scenario_is_on_the_page(wrong: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse(wrong, "x")
    known = str(refused.value).partition("; use ")[2].split(", ")
    assert len(known) > 1
    assert [key for key in known if not re.search(rf"\b{key}\b", SCENARIOS)] == []


def test_every_ending_is_on_the_page() -> None:
    assert [one for one in CallOutcome if f"`{one}`" not in SCENARIOS] == []


def test_the_scenarios_that_pages_name_are_there() -> None:
    for file in re.findall(r"tests/scenarios/\w+\.yaml", SCENARIOS + PAGES[0].read_text("utf-8")):
        assert (PROJECT / file).is_file(), file

"""The rules of docs/architecture.md that import-linter cannot hold."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SOURCES = sorted((PROJECT / "ivr").rglob("*.py"))
TESTS = sorted((PROJECT / "tests").rglob("*.py"))
LANGUAGES = ("en", "es")


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=name)
def test_a_file_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=name)
def test_a_function_has_at_most_60_lines(path: Path) -> None:
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno >= 60
    ]
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    if path.name != "__init__.py":
        assert ast.get_docstring(tree(path))


def test_billing_nouns_are_pure() -> None:
    """Gerunds (paying, collecting …) do the work; nouns only know rules."""
    for path in (PROJECT / "ivr/billing").glob("*.py"):
        if path.stem == "ports" or path.stem.endswith("ing"):
            continue
        waits = [node for node in ast.walk(tree(path)) if isinstance(node, ast.AsyncFunctionDef)]
        assert not waits, f"{path.name} has async work: move it to a gerund"


def catalogue(language: str) -> dict[str, str]:
    text = (PROJECT / f"audio-prompts/{language}/catalogue.toml").read_text(encoding="utf-8")
    phrases = tomllib.loads(text)["phrases"]
    assert isinstance(phrases, dict)
    return phrases


SAYING = {"say", "sounds", "say_phrase", "_say"}


def phrases_said() -> set[str]:
    """Every literal phrase id given to something that speaks."""
    said: set[str] = set()
    for path in SOURCES:
        if path.parts[-2] not in {"flows", "dialogue", "capture"}:
            continue
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            first = node.args[0]
            if called in SAYING and isinstance(first, ast.Constant):
                said.add(str(first.value))
    return said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_said_has_text(language: str) -> None:
    said = phrases_said()
    assert len(said) > 10
    assert said <= set(catalogue(language))


def test_both_languages_say_the_same_phrases() -> None:
    english, spanish = catalogue("en"), catalogue("es")
    assert set(english) == set(spanish)
    placeholders = {
        phrase: (set(re.findall(r"{(\w+)}", english[phrase])), set(re.findall(r"{(\w+)}", text)))
        for phrase, text in spanish.items()
    }
    assert [phrase for phrase, (en, es) in placeholders.items() if en != es] == []

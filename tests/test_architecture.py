"""The rules of docs/architecture.md that import-linter cannot hold."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import get_args

from ivr.dialogue.phrases import PhraseId
from ivr.speech.catalogue import Catalogue

PROJECT = Path(__file__).parent.parent
SOURCES = sorted((PROJECT / "ivr").rglob("*.py"))
TESTS = sorted((PROJECT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_a_file_has_at_most_400_lines() -> None:
    lengths = {name(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES + TESTS}
    assert not {path: lines for path, lines in lengths.items() if lines > 400}


def test_a_function_has_at_most_60_lines() -> None:
    long = [
        f"{name(path)}: {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in SOURCES + TESTS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno >= 60
    ]
    assert not long


def test_a_module_opens_with_one_sentence() -> None:
    modules = [path for path in SOURCES if path.name != "__init__.py"]
    assert not [name(path) for path in modules if not ast.get_docstring(tree(path))]


def test_billing_nouns_are_pure() -> None:
    """Gerunds (paying, collecting …) do the work; nouns only know rules."""
    for path in (PROJECT / "ivr/billing").glob("*.py"):
        if path.stem == "ports" or path.stem.endswith("ing"):
            continue
        waits = [node for node in ast.walk(tree(path)) if isinstance(node, ast.AsyncFunctionDef)]
        assert not waits, f"{path.name} has async work: move it to a gerund"


def said_by_capture() -> set[str]:
    """Every phrase id that capture names: literals that are ids, or variants of one."""
    ids = set(catalogue().ids)
    literals: set[str] = set()
    for path in (PROJECT / "ivr/capture").glob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                literals.add(node.value)
    return literals & ids


def catalogue() -> Catalogue:
    return Catalogue.load(PROJECT / "audio-prompts")


def test_every_phrase_of_the_conversation_has_text() -> None:
    """That both languages hold the same ids and gaps is checked whenever a catalogue is loaded."""
    assert set(get_args(PhraseId)) <= set(catalogue().ids)


def test_every_phrase_with_text_is_said_somewhere() -> None:
    """A variant (ask_expiry_attempt2, error_invalid_date) is chosen by its step."""
    by_dial_plan = {"lab_agent"}
    said = set(get_args(PhraseId)) | said_by_capture() | by_dial_plan
    unsaid = {
        phrase
        for phrase in catalogue().ids
        if not any(phrase == one or phrase.startswith(f"{one}_") for one in said)
    }
    assert not {phrase for phrase in unsaid if not phrase.startswith("error_")}


def test_every_file_the_programs_read_is_part_of_the_package() -> None:
    shipped: dict[str, list[str]] = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"][
        "setuptools"
    ]["package-data"]
    known = {
        path
        for package, patterns in shipped.items()
        for pattern in patterns
        for path in (PROJECT / package.replace(".", "/")).glob(pattern)
    }
    read = {
        path
        for path in (PROJECT / "ivr").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md"}
    }
    assert not sorted(map(name, read - known))

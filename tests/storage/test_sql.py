"""Every named query is used, every used one exists, and each says what it is for."""

import ast
from pathlib import Path

import pytest

from ivr.billing.importing import FileKind
from ivr.storage import sql
from ivr.storage.tidying import KINDS

STORAGE = Path(sql.__file__).parent
ASKING = {"rows", "row", "run", "change"}


def asked(call: ast.Call) -> set[str]:
    """The names that a call asks for; {kind} in an f-string is each kind of file, or of row."""
    name = call.args[0]
    if isinstance(name, ast.Constant):
        return {str(name.value)}
    if isinstance(name, ast.JoinedStr):
        first = name.values[0]
        assert isinstance(first, ast.Constant)
        kinds = KINDS if first.value == "tidy_" else FileKind
        return {str(first.value) + kind for kind in kinds}
    return set()


def used() -> set[str]:
    names: set[str] = set()
    for path in STORAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ASKING
                and node.args
            ):
                names |= asked(node)
    return names


def test_every_named_query_is_used_and_every_used_one_exists() -> None:
    # customers are not locked: no payment locks them
    assert used() - {"lock_customers"} == set(sql.QUERIES)


@pytest.mark.parametrize("query", sql.QUERIES.values(), ids=lambda query: query.name)
def test_every_query_says_what_it_is_for(query: sql.Query) -> None:
    assert len(query.about.split()) > 1
    assert query.text


def test_a_name_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "one.sql").write_text("-- name: same\n-- One.\nSELECT 1\n")
    (tmp_path / "two.sql").write_text("-- name: same\n-- Two.\nSELECT 2\n")
    with pytest.raises(ValueError, match=r"two\.sql: the query same is there twice"):
        sql.load(tmp_path)

"""The crash matrix's report: JSON for programs, one page of HTML for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ivr.lab.crashing.running import Result, again
from ivr.lab.crashing.trials import GATEWAYS

JSON_FILE, HTML_FILE = "crashtest.json", "crashtest.html"
PROMISES = (
    "at most one transaction that took money for each attempt, and never more than the invoices",
    "every transaction of the gateway is in our ledger, every captured attempt in the gateway's",
    "every attempt has ended within 60 s of the recovery and holds no invoice",
    "paid was said only after the commit, which was there before anybody recovered anything",
    "who was told that nothing was charged was not charged, or got it back",
    "who was told that we are confirming gets one message, and the right one",
    "what is applied to invoices adds up to what was taken, fee apart",
    "a line comes back when its invoice is paid in full, and never otherwise",
)
REACH = (
    (
        "The gateway's time-out is 0.8 s here and 65 s in the product; the pauses between looks "
        "are a tenth, the windows for sending again and for giving up 2 s and 4 s instead of 120 s "
        "and 900 s. One keyed trial in ten goes by the product's own schedule."
    ),
    "Another daemon's silence of 15 s is written into the database instead of waited for.",
    (
        "A full disk is what Postgres answers then (SQLSTATE 53100), raised by a trigger in "
        "statements or at their commit: a file system that is really full takes root."
    ),
    "A loss of power is not tried: SIGKILL leaves the kernel's pages. One Postgres, no replica.",
    (
        "Asterisk gone, hang-ups by telephone and a daemon killed during a call are tried with "
        "real calls: tests/e2e/test_back_ends.py, test_gateway.py, test_daemon.py and "
        "test_capture.py; tests/scenarios/hangs_up_*.yaml."
    ),
)
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums}
.passed{color:#0a6b2d}.failed{color:#b00020}code{font-size:.85em}
"""


def write(result: Result, folder: Path) -> Path:
    """Both files; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    told = as_json(result)
    (folder / JSON_FILE).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page = folder / HTML_FILE
    page.write_text(as_html(told), "utf-8")
    return page


def as_json(result: Result) -> dict[str, Any]:
    """What was tried, what went wrong and how to see it again, which mutants were caught."""
    counted = result.counted
    slowest = sorted(one.recovered_seconds for one in counted)
    return {
        "passed": result.passed,
        "began": result.began.isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 1),
        "form": "short" if result.asked.is_short else "full",
        "seed": result.asked.seed,
        "trials": len(counted),
        "not_reached": len(result.played) - len(counted),
        "bound": result.bound,
        "possible": result.matrix,
        "by_action": _counts(str(one.trial.action) for one in counted),
        "by_gateway": _counts(one.trial.gateway for one in counted),
        "by_caller": _counts(str(one.trial.caller) for one in counted),
        "points": len({one.trial.point for one in counted}),
        "recovered_seconds": {
            "median": round(slowest[len(slowest) // 2], 2) if slowest else None,
            "longest": round(slowest[-1], 2) if slowest else None,
        },
        "violations": [
            {"trial": one.trial.id, "wrong": (*one.wrong, *one.broken),
             "again": again(one.trial, result.asked.seed)}
            for one in result.violations
        ],
        "ledgers_differ": result.strangers,
        "mutants": [
            {"name": one.name, "what": one.what, "caught": bool(one.caught_by),
             "by": one.caught_by, "how": one.how, "trials": one.trials}
            for one in result.tried
        ],
    }  # fmt: skip


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def as_html(told: Mapping[str, Any]) -> str:
    """One page without anything from elsewhere."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Saldo crash matrix</title>"
        f"<style>{_STYLE}</style><body>{''.join((*_opening(told), *_tables(told)))}</body></html>\n"
    )


def _opening(told: Mapping[str, Any]) -> Iterator[str]:
    verdict = "passed" if told["passed"] else "failed"
    wrong = told["violations"]
    yield f"<h1>Saldo crash matrix: <span class={verdict}>{verdict}</span></h1>"
    yield (
        f"<p>{told['form']} form, seed {told['seed']}, {_text(told['began'])}, "
        f"{told['seconds']:.0f} s. <b>N = {told['trials']}</b> trials, <b>{len(wrong)}</b> "
        f"violations; with none, the rate is below 3/N = {told['bound']:.2%} with 95 % confidence."
        f" {told['not_reached']} more ended before their point came; they are judged and not "
        "counted.</p><h2>What is promised</h2>"
    )
    yield "<ul>" + "".join(f"<li>{_text(one)}</li>" for one in PROMISES) + "</ul>"
    yield _table(
        ("violation", "to see it again"),
        (("; ".join(one["wrong"]), one["again"]) for one in wrong),
    )
    yield _table(("the ledgers differ",), ([one] for one in told["ledgers_differ"]))


def _tables(told: Mapping[str, Any]) -> Iterator[str]:
    possible = told["possible"]
    actions = ((name, number, possible[name]) for name, number in told["by_action"].items())
    yield "<h2>What was tried</h2>"
    yield f"<p>At {told['points']} points of a charge, found by running it.</p>"
    yield _table(("what happens there", "trials", "possible"), actions)
    gateways = ((name, GATEWAYS[name].what, number) for name, number in told["by_gateway"].items())
    yield _table(("gateway", "", "trials"), gateways)
    yield _table(("caller", "trials"), told["by_caller"].items())
    yield "<h2>Mistakes planted in the code</h2>"
    mutants = ((one["name"], one["what"], _how(one), one["trials"]) for one in told["mutants"])
    yield _table(("mutant", "mistake", "caught by", "in trial"), mutants)
    yield "<h2>How far this goes</h2>"
    yield "<ul>" + "".join(f"<li>{_text(one)}</li>" for one in REACH) + "</ul>"


def _how(mutant: Mapping[str, Any]) -> str:
    how = "; ".join(mutant["how"])
    return how if mutant["caught"] else f"NOT CAUGHT {how}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["".join(_cell(value) for value in row) for row in rows]
    if not lines:
        return ""
    top = "".join(f"<th>{_text(head)}</th>" for head in heads)
    return f"<table><tr>{top}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"<td class=number>{value:,}</td>"
    return f"<td>{_text(value)}</td>"


def _text(value: object) -> str:
    return escape(str(value))

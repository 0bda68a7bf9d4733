"""The leak test's report: JSON for programs, one page of HTML for auditors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ivr.lab.leaktest.endings import ACCOUNTS
from ivr.lab.leaktest.running import Result
from ivr.lab.leaktest.trying import Tried

JSON_FILE, HTML_FILE = "leaktest.json", "leaktest.html"
LEFT_OUT = (
    "RTP of the callers' own leg: it is how keys and voice arrive; in production, SRTP",
    (
        "what callers key before the secure part has begun: it reaches `saldo serve` as any key "
        "does, is dropped there and written down nowhere"
    ),
    "SIP INFO as callers send it on their own leg; what the PBX makes of it is searched",
    (
        "the secure process's own connections: to Asterisk, which must tell it what is keyed, and "
        "to the gateway, which is plain HTTP in the lab and TLS elsewhere"
    ),
    "memory of running processes, and the caller's own telephone",
    (
        "what is said to Postgres: a Unix socket in the lab, so no packet; its rows, files, log "
        "and running statements are searched"
    ),
    "what a browser on the pay page sends; what it is answered is searched",
    "the routing number of a bank account: it is public",
)
FORMS = (
    "plain, with anything between the digits, backwards, in UTF-16, base64, hex, URL and JSON "
    "escapes, BCD, as a list of numbers, in words (English and Spanish), in gzip and zlib, as "
    "single digits one below the other in the order of time, as tones; ten digits of a number in a "
    "row are a find (first six and last four may be kept), eight where single digits stand below "
    "each other, more where so many stand there that chance would write eight; the security code "
    "beside its name or below the number; the expiry date, which may be kept, only below the number"
)
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums}
.passed{color:#0a6b2d}.failed{color:#b00020}small{color:#555}
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
    """What was searched, what was found, which mutants were caught by what."""
    return {
        "passed": result.passed,
        "began": result.began.isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 1),
        "form": "short" if result.asked.short else "full",
        "versions": result.versions,
        "calls": _calls(result),
        "searched": [
            {"name": s.name, "items": s.items, "unit": s.unit, "bytes": s.bytes,
             "found": len(s.found)}
            for s in sorted(result.searched.sinks.values(), key=lambda one: one.name)
        ],
        "found": [
            {"where": one.where, "canary": one.hit.canary, "form": one.hit.form,
             "place": one.hit.place, "shape": one.hit.shape}
            for one in result.searched.found
        ],
        "packets": result.packets,
        "forms": FORMS,
        "left_out": LEFT_OUT,
        "mutants": [_mutant(one) for one in result.tried],
        "not_tried": result.not_tried,
    }  # fmt: skip


def _calls(result: Result) -> dict[str, Any]:
    good = [one.call for one in result.played if one.as_planned]
    accounts = {one.canary.label for one in good if one.way in ACCOUNTS}
    return {
        "as_planned": len(good),
        "placed": len(result.played) + result.repeated,
        "repeated": result.repeated,
        "by_way": dict(sorted(Counter(str(one.way) for one in good).items())),
        "by_ending": dict(sorted(Counter(str(one.ending) for one in good).items())),
        "cards": sorted({one.canary.label for one in good} - accounts),
        "accounts": sorted(accounts),
        "not_as_planned": [
            {"call": one.call.name, "why": one.why} for one in result.missing
        ],
    }  # fmt: skip


def _mutant(one: Tried) -> dict[str, Any]:
    return {
        "name": one.mutant.name,
        "what": one.mutant.what,
        "place": one.mutant.sink,
        "caught": one.caught,
        "canary": one.canary,
        "search": sorted({found.hit.form for found in one.found}),
        "where": sorted({Path(found.where).name for found in one.found}),
        "shapes": sorted({found.hit.shape for found in one.found} - {""}),
        "guard": one.guard or "not asked",
        "doctor": one.doctor,
        "trouble": one.trouble,
        "seconds": round(one.seconds, 1),
    }


def as_html(told: Mapping[str, Any]) -> str:
    """One page without anything from elsewhere."""
    parts = [*_opening(told), *_looked_at(told), *_switched_on(told)]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Saldo leak test</title>"
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _opening(told: Mapping[str, Any]) -> Iterator[str]:
    calls, mutants = told["calls"], told["mutants"]
    caught = sum(one["caught"] for one in mutants)
    verdict = "passed" if told["passed"] else "failed"
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    yield f"<h1>Saldo leak test: <span class={verdict}>{verdict}</span></h1>"
    when = f"{told['form']} form, {told['began']}, {told['seconds']:.0f} s"
    yield f"<p>{when}. {_text(versions)}.</p>"
    yield (
        f"<p>{calls['as_planned']} calls with canary cards and bank accounts: "
        f"<b>{len(told['found'])}</b> finds. {len(mutants)} known leaks switched on, "
        f"<b>{caught}</b> caught.</p><h2>Calls</h2>"
    )
    yield (
        f"<p>Placed {calls['placed']}, of which {calls['repeated']} did not go as planned and were "
        f"placed again. Cards: {_text(', '.join(calls['cards']))}, all of them Braintree's "
        "published test numbers; expiry date and security code are drawn anew for each call. "
        f"Bank accounts: {_text(', '.join(calls['accounts']) or 'none')}, drawn anew for each run, "
        "with Braintree's published routing number.</p>"
    )
    yield _table(("way of the keys", "calls"), calls["by_way"].items())
    yield _table(("ending", "calls"), calls["by_ending"].items())
    failed = ((one["call"], one["why"]) for one in calls["not_as_planned"])
    yield _table(("not as planned", "why"), failed)


def _looked_at(told: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>What was searched</h2>"
    yield f"<p>For each card and bank account of each call: {_text(told['forms'])}.</p>"
    rows = ((s["name"], s["items"], s["unit"], s["bytes"], s["found"]) for s in told["searched"])
    yield _table(("place", "items", "", "bytes", "finds"), rows)
    yield _found(told["found"])
    yield _packets(told["packets"])
    yield "<h3>What was not searched</h3>"
    yield "<ul>" + "".join(f"<li>{_text(one)}</li>" for one in told["left_out"]) + "</ul>"


def _switched_on(told: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "<h2>Known leaks, switched on one by one</h2><p>A search that finds nothing says something "
        "only if it finds what is there. Each line is one leak; the search must find the canary in "
        "that very place. Where the guard of the secure process looks, it must refuse the card "
        "too; the doctor's findings are those that were not there before.</p>"
    )
    heads = ("leak", "what was switched on", "doctor", "guard", "search", "")
    yield _table(heads, (_row(one) for one in told["mutants"]))
    yield _table(("not tried", "why"), told["not_tried"].items())


def _row(one: Mapping[str, Any]) -> Sequence[object]:
    doctor = "; ".join(finding.partition(":")[0] for finding in one["doctor"]) or "—"
    search = ", ".join(one["search"]) or "—"
    where = ", ".join(one["where"])
    result = "caught" if one["caught"] else f"NOT CAUGHT {one['trouble']}"
    found = f"{search} in {where}" if where else search
    return one["name"], one["what"], doctor, one["guard"], found, result


def _found(found: Sequence[Mapping[str, str]]) -> str:
    if not found:
        return "<p class=passed>Nothing was found.</p>"
    rows = (
        tuple(one[key] for key in ("where", "place", "canary", "form", "shape")) for one in found
    )
    heads = ("where", "from where on", "canary", "how", "what stands there (# for each digit)")
    return "<h3 class=failed>Finds</h3>" + _table(heads, rows)


def _packets(counts: Mapping[str, int] | None) -> str:
    if counts is None:
        return (
            "<p>Packets on loopback were not recorded: that takes root (or CAP_NET_RAW). Run the "
            "leak test as root to have them searched.</p>"
        )
    return "<h3>Packets on loopback</h3>" + _table(("", "count"), counts.items())


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

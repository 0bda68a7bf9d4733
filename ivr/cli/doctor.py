"""`saldo doctor`: whether cards may be taken here, and what to change where not."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivr import log, settings
from ivr.capture.doctor.checkup import examine
from ivr.capture.doctor.finding import Finding, Grade
from ivr.cli.options import Config

COLOURS = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.FAULT: "red", Grade.UNKNOWN: "magenta"}
WORST_FIRST = (Grade.FAULT, Grade.UNKNOWN, Grade.WARNING, Grade.OK)
FAULTS, CANNOT_LOOK = 1, 2


def doctor(
    asterisk_config: Annotated[
        Path | None,
        typer.Option(
            "--asterisk-config",
            metavar="FOLDER",
            help="The PBX's configuration; default: /etc/asterisk, if any.",
        ),
    ] = None,
    config: Config = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON report, and nothing else.")
    ] = False,
) -> None:
    """Look at PBX, database, gateway and this machine: may cards be taken, and what to change.

    Changes nothing. Run it on the PBX's machine as the user of `saldo capture`.

    Exit status 0 when there is no fault, 1 when there is one, 2 when something could not be looked
    at.

    Example: saldo doctor --asterisk-config /etc/asterisk
    """
    loaded = settings.load(config)
    log.configure()
    findings = asyncio.run(examine(loaded, asterisk_config))
    findings.sort(key=lambda one: WORST_FIRST.index(one.grade))
    counts = Counter(one.grade for one in findings)
    if as_json:
        numbers = {str(grade): counts[grade] for grade in Grade}
        report = {"counts": numbers, "findings": [asdict(one) for one in findings]}
        print(json.dumps(report, ensure_ascii=False))
    else:
        _show(findings, counts)
    if counts[Grade.FAULT]:
        raise typer.Exit(FAULTS)
    if counts[Grade.UNKNOWN]:
        raise typer.Exit(CANNOT_LOOK)


def _show(findings: list[Finding], counts: Counter[Grade]) -> None:
    console = Console(highlight=False)
    table = Table("", "finding", "what was found, why it matters, what to change", show_lines=False)
    for one in findings:
        colour = COLOURS[one.grade]
        said = escape(one.found)
        if one.grade is not Grade.OK:
            said += f"\n[dim]{escape(one.why)}[/dim]\n→ {escape(one.change)}"
        table.add_row(f"[{colour}]{one.grade}[/{colour}]", one.id, said)
    console.print(table)
    console.print(", ".join(f"{counts[grade]} {grade}" for grade in WORST_FIRST))

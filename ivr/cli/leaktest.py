"""`saldo leaktest`: canary cards through real calls, and a search of everything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ivr.lab.leaktest import report, running
from ivr.lab.leaktest.running import Asked, Result
from ivr.lab.progress import TerminalProgress

REPORT = Path("var/leaktest")


def leaktest(
    calls: Annotated[int, typer.Option(min=12, max=700, help="So many calls with cards.")] = 200,
    mutants: Annotated[
        str, typer.Option(metavar="all|none|NAME,…", help="Known leaks to switch on.")
    ] = "all",
    folder: Annotated[
        Path, typer.Option("--report", metavar="FOLDER", help="Where the report is written.")
    ] = REPORT,
    at_once: Annotated[int, typer.Option(min=1, max=24, help="Telephones side by side.")] = 8,
    *,
    short: Annotated[
        bool, typer.Option("--short", help="A minute: a few calls and a few mutants.")
    ] = False,
) -> None:
    """Prove that no card number is left anywhere: calls, a search, and every known leak caught.

    Runs a lab of its own and removes it. Takes about half an hour on two cores; as root, packets on
    loopback are searched too.

    Exit status 0 only when nothing was found, every mutant was caught and every call went as
    planned.

    Example: saldo leaktest --report var/leaktest
    """
    chosen = running.named(
        ",".join(running.SHORT_MUTANTS) if short and mutants == "all" else mutants
    )
    asked = Asked(calls, chosen, at_once, short)
    console = Console(highlight=False)
    with TerminalProgress() as progress:
        result = asyncio.run(
            running.run(asked, progress, lambda line: console.print(escape(line), soft_wrap=True))
        )
    page = report.write(result, folder)
    _sum_up(result, page, console)
    if not result.passed:
        raise typer.Exit(1)


def _sum_up(result: Result, page: Path, console: Console) -> None:
    for one in result.searched.found:
        console.print(escape(f"found: {one.hit.canary}, {one.hit.form}, in {one.where}"))
    for missing in result.missing:
        console.print(escape(f"not as planned: {missing.call.name} ({missing.why})"))
    for tried in result.tried:
        if not tried.caught:
            console.print(escape(f"not caught: {tried.mutant.name} {tried.trouble}".rstrip()))
    caught = sum(tried.caught for tried in result.tried)
    verdict = "[green]passed[/green]" if result.passed else "[red]failed[/red]"
    calls = sum(one.as_planned for one in result.played)
    console.print(
        f"{verdict}: {calls} calls, {len(result.searched.found)} finds, "
        f"{caught} of {len(result.tried)} mutants caught, {result.seconds:.0f} s"
    )
    console.print(escape(f"report: {page}"), soft_wrap=True)

"""`saldo call`: simulated calls against the running lab."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from ivr.lab.lab import lab_folder, required
from ivr.lab.scenario import play
from ivr.lab.scenario_file import Scenario, load
from ivr.lab.scenario_report import Report, StepReport


def call(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.yaml...", help="The calls.")],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="SIP-URI", help="Call this instead of the lab."),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON report a call, and nothing else.")
    ] = False,
) -> None:
    """Call the lab as a customer would: press keys, hear phrases, check what was paid.

    Exit status 0 when all went as the files say, 1 when not, 2 when a file is wrong.

    Example: saldo call tests/scenarios/pays_one_invoice.yaml
    """
    scenarios = [load(file) for file in files]  # all of them before the first call
    passed = [_play(scenario, to, as_json=as_json) for scenario in scenarios]
    if not all(passed):
        raise typer.Exit(1)


def _play(scenario: Scenario, to: str | None, *, as_json: bool) -> bool:
    lab = required(lab_folder())
    if as_json:
        report = asyncio.run(play(scenario, lab, to))
        print(json.dumps(report.as_json(), ensure_ascii=False), flush=True)
        return report.passed
    with LiveCall(scenario.name) as shown:
        report = asyncio.run(play(scenario, lab, to, shown.watch))
    shown.sum_up(report)
    return report.passed


class LiveCall:
    """Shows a call on the terminal while it goes on: a line for each step that is over."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._status: Status | None = None
        self._name = name

    def __enter__(self) -> Self:
        self._console.print(f"[bold]{escape(self._name)}[/bold]")
        if self._console.is_terminal:
            self._status = self._console.status("dialling")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def watch(self, step: StepReport) -> None:
        """Take the news of a step."""
        what = escape(step.what)
        if step.ok is None:
            if self._status is not None:
                self._status.update(what)
            return
        mark = "[green]✓[/green]" if step.ok else "[red]✗[/red]"
        when = f"{step.at:7.2f} s" if step.at is not None else " " * 9
        why = f" [red]({escape(step.why)})[/red]" if step.why else ""
        self._console.print(f"  {mark} {when}  {what}{why}", soft_wrap=True)

    def sum_up(self, report: Report) -> None:
        """The last lines: passed or not, how quick the prompts were, where the recording is."""
        result = "[green]passed[/green]" if report.passed else "[red]failed[/red]"
        latency = report.as_json()["latency_ms"]
        quick = f", key to prompt {latency['p50']:.0f} ms" if latency["p50"] is not None else ""
        self._console.print(f"  {result}{quick}")
        if not report.passed:
            heard = ", ".join(phrase for _, phrase, _ in report.heard) or "nothing"
            self._console.print(f"  heard: {escape(heard)}", soft_wrap=True)
            if report.recording:
                self._console.print(f"  recording: {escape(report.recording)}", soft_wrap=True)

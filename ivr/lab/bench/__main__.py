"""`make bench`: the figures of docs/performance.md, measured on this machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from ivr.lab import lab
from ivr.lab.bench import calls
from ivr.lab.errors import LabError
from ivr.lab.progress import TerminalProgress
from ivr.settings import PROJECT, load


def main() -> int:
    """Measure, print a table, write var/bench/calls.json; 1 when a call failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="paying calls to place")
    count = parser.parse_args().calls
    folder = lab.lab_folder()
    was_up = lab.running(folder) is not None
    try:
        with TerminalProgress() as progress:
            running = lab.up(folder, load(), progress)
        figures = asyncio.run(calls.measure(running, count))
    except LabError as error:
        Console(stderr=True).print(f"bench: {error}", markup=False)
        return 1
    finally:
        if not was_up:
            lab.down(folder)
    table = Table("what", "figure", title="Paying calls")
    for row in calls.as_rows(figures):
        table.add_row(*row)
    Console().print(table)
    results = PROJECT / "var/bench"
    results.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"at": stamp, **asdict(figures)}, indent=1)
    (results / "calls.json").write_text(text + "\n", encoding="utf-8")
    return 1 if figures.failed else 0


if __name__ == "__main__":
    sys.exit(main())

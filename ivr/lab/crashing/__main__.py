"""`make crash-test`: a process that charges is killed at every await, and the money is counted.

Runs Postgres and the stand-in gateway of its own, no telephone, and removes them. 3,200 trials and
every mutant take less than an hour on two cores; the report is in var/crashtest.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ivr.lab.crashing import report
from ivr.lab.crashing.mutants import MUTANTS
from ivr.lab.crashing.running import SHORT_MUTANTS, Asked, Result, again, run
from ivr.lab.crashing.trials import Trial
from ivr.lab.packages import PackagesError, ensure_tree
from ivr.lab.processes import ProcessError
from ivr.lab.progress import TerminalProgress

REPORT = Path("var/crashtest")
SHORT_TRIALS = 28
VIOLATED, FAILED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and report; 1 when a promise was broken or a mutant not caught, 2 when it cannot run."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        asked = _asked(chosen)
    except (ValueError, KeyError) as error:
        parser.error(f"no such trial or mutant: {error}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with TerminalProgress() as progress:
            tree = ensure_tree(progress)
        result = run(asked, tree, _say)
    except (PackagesError, ProcessError) as error:
        _say(f"crash-test: {error}")
        return FAILED
    except KeyboardInterrupt:
        _say("crash-test: stopped; nothing is left behind")
        return FAILED
    page = report.write(result, chosen.report)
    _sum_up(result, page)
    return 0 if result.passed else VIOLATED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make crash-test", description=__doc__)
    parser.add_argument("--trials", type=int, default=3200, help="so many are played; 3200")
    parser.add_argument("--seed", type=int, default=1, help="which of all possible ones; 1")
    parser.add_argument("--lanes", type=int, default=2, help="side by side; 2")
    parser.add_argument("--mutants", default="all", metavar="all|none|NAME,…")
    parser.add_argument(
        "--only", action="append", metavar="TRIAL", help="this one; may be repeated"
    )
    parser.add_argument("--short", action="store_true", help="less than half a minute")
    parser.add_argument("--report", type=Path, default=REPORT, metavar="FOLDER")
    return parser


def _asked(chosen: argparse.Namespace) -> Asked:
    """What the arguments mean. Raises ValueError, KeyError: there is no such thing."""
    only = tuple(Trial.of(name) for name in chosen.only or ())
    names = {"all": tuple(MUTANTS), "none": ()}.get(chosen.mutants)
    if names is None:
        names = tuple(name for name in chosen.mutants.split(",") if MUTANTS[name])
    if chosen.short and chosen.mutants == "all":
        names = SHORT_MUTANTS
    trials = min(chosen.trials, SHORT_TRIALS) if chosen.short else chosen.trials
    return Asked(trials, chosen.seed, chosen.lanes, () if only else names, chosen.short, only)


def _sum_up(result: Result, page: Path) -> None:
    for one in result.violations:
        _say(again(one.trial, result.asked.seed))
    for stranger in result.strangers:
        _say(f"WRONG: {stranger}")
    caught = sum(bool(one.caught_by) for one in result.tried)
    number = len(result.counted)
    _say(
        f"{'passed' if result.passed else 'FAILED'}: N = {number} trials, "
        f"{len(result.violations)} violations (rate below 3/N = {result.bound:.2%} with 95 % "
        f"confidence when there are none), {caught} of {len(result.tried)} mutants caught, "
        f"{result.seconds:.0f} s"
    )
    _say(f"report: {page}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

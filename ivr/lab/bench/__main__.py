"""`make bench`: the figures that Saldo is to reach, measured on this machine.

Parts: names (look-up by text among up to a million customers), dialogues (whole dialogues by
voice), answers (digits, yes and no, what is no answer), streams (callers decoded at once), speech
(end of speech to the next prompt, in real calls), calls (what a paid call costs). All of them when
none is named. Each writes var/bench/<part>.json; customers are kept there too, so that a second run
need not make them again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ivr.billing.errors import LedgerUnavailable
from ivr.lab.bench.figures import save, show
from ivr.lab.bench.parts import PARTS, Extent
from ivr.lab.errors import LabError
from ivr.lab.packages import PackagesError
from ivr.lab.processes import ProcessError
from ivr.log import configure
from ivr.speech.errors import SpeechError

NOT_MET, FAILED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print tables, write var/bench; 1 when a goal is missed, 2 when it cannot be told."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="less of everything, minutes")
    parser.add_argument("--models", type=Path, help="folder with other speech models, en and es")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    configure("warning")
    console = Console()
    extent = Extent.of(short=chosen.short, models=chosen.models)
    met = True
    for name in chosen.parts or PARTS:
        try:
            part = asyncio.run(PARTS[name](extent, console.print))
        except ModuleNotFoundError as error:
            console.print(f"bench: the package {error.name} is missing: make check installs it")
            return FAILED
        except (
            *(LabError, PackagesError, ProcessError, SpeechError),
            LedgerUnavailable,
        ) as error:
            console.print(f"bench: {error}", markup=False)
            return FAILED
        show(part, console)
        save(name, part)
        met = met and part.met
    return 0 if met else NOT_MET


if __name__ == "__main__":
    sys.exit(main())

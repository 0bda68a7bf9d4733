"""Every known leak, switched on: the search must find the canary there, or it is worth nothing."""

from __future__ import annotations

from ivr.lab.leaktest.mutants.accounts import ACCOUNTS
from ivr.lab.leaktest.mutants.asterisk import ASTERISK
from ivr.lab.leaktest.mutants.mutant import Mutant
from ivr.lab.leaktest.mutants.ours import OURS
from ivr.lab.leaktest.mutants.server import SERVER

__all__ = ["MUTANTS", "Mutant"]

MUTANTS: tuple[Mutant, ...] = (*ASTERISK, *SERVER, *OURS, *ACCOUNTS)

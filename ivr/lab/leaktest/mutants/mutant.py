"""What a mutant is: one leak, how it is switched on, and where its canary must turn up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr.lab.dialpad import KeyWay

READ = "Read(LEAK,,16,,1,4)"
"""takes sixteen keys into a variable: the lab's own place where no guard is asked"""
APP = "leaktest-mutant"
"""the application of ARI that a mutant may bring along"""
CLIENT, HEP, SHOWN = "the mutant's client of ARI", "the receiver of HEP", "Asterisk's command line"
"""streams that only mutants have"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One leak."""

    name: str
    what: str
    """what is switched on, for the report"""
    sink: str
    """part of the name of the place where the search must find the canary: a file, a stream"""
    plan: tuple[str, ...] = (READ,)
    """dial plan of the number that the canary is keyed at; empty: keyed in the secure part"""
    files: Mapping[str, str] = field(default_factory=dict)
    """what is appended to files of the PBX's configuration"""
    without: Mapping[str, str] = field(default_factory=dict)
    """lines of them, by their beginning, that are taken out"""
    on: tuple[str, ...] = ()
    """commands of Asterisk's own command line"""
    off: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    """commands whose answers are searched too, after the call"""
    folders: tuple[str, ...] = ()
    """of the PBX's logs, to be made"""
    keys: KeyWay = KeyWay.RFC4733
    everything: bool = False
    """the mutant's client of ARI subscribes to everything"""
    asks: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """what that client asks of ARI once the call is up: path with {channel}, parameters"""
    is_client: bool = False
    """whether there is such a client"""
    guarded: bool = False
    """whether the guard must refuse a card meanwhile"""
    planted: str = ""
    """the patch of our own code that is switched on (planted.py)"""
    of_accounts: bool = False
    """whether a bank account is keyed, and not a card"""
    on_page: bool = False
    """whether the card is typed on the pay page"""
    statements: tuple[str, ...] = ()
    """SQL of the superuser that switches it on"""
    statements_off: tuple[str, ...] = ()
    restarts: bool = False
    """only a new start of Asterisk reads what was changed"""

"""Runs the matrix: finds the points, plays the trials in lanes side by side, plants the mutants."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Self

from ivr.lab.crashing.house import House
from ivr.lab.crashing.lane import RECOVER_SECONDS, TELL, Lane, Played, mutated
from ivr.lab.crashing.mutants import MUTANTS
from ivr.lab.crashing.trials import GATEWAYS, Action, Points, Trial, chosen, every
from ivr.lab.packages import Tree
from ivr.lab.processes import ProcessError

MUTANT_SECONDS = 8.0
"""how long a recovery may take under a mutant, which may never end"""
MUTANT_TRIALS = 40
"""so many trials must be enough to catch one"""
SHORT_MUTANTS = ("charged-again", "said-first")
SHORT_GATEWAYS = ("ok", "reset-after", "decline", "search-lag")
DEATHS = ("gateway.send.none.1", "gateway.send.all.2", "captured.__aexit__.waits.1")
"""where a charge dies before its resolving does, if it gets there"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """How much is to be run."""

    trials: int = 3200
    seed: int = 1
    lanes: int = 2
    mutants: tuple[str, ...] = tuple(MUTANTS)
    is_short: bool = False
    only: tuple[Trial, ...] = ()
    """these, and no others"""


@dataclass(frozen=True, slots=True)
class Tried:
    """One mutant."""

    name: str
    what: str
    caught_by: str
    """the trial; empty: it was not caught"""
    how: tuple[str, ...]
    trials: int
    seconds: float


@dataclass
class Result:
    """All that came of a run."""

    asked: Asked
    began: datetime
    seconds: float = 0.0
    matrix: Mapping[str, int] = field(default_factory=dict)
    """trials there are, by action"""
    played: list[Played] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def counted(self) -> list[Played]:
        """The trials whose point came; the others prove nothing."""
        return [one for one in self.played if one.is_reached]

    @property
    def violations(self) -> list[Played]:
        return [one for one in self.played if one.wrong or one.broken]

    @property
    def passed(self) -> bool:
        is_clean = not (self.violations or self.strangers or self.troubles)
        return is_clean and bool(self.counted) and all(one.caught_by for one in self.tried)

    @property
    def bound(self) -> float:
        """With 95 % confidence, a payment goes wrong in less than this share of such troubles."""
        return min(1.0, 3 / len(self.counted)) if self.counted else 1.0


def run(asked: Asked, tree: Tree, say: Say) -> Result:
    """Play it all. Raises ProcessError: a part of the laboratory does not start."""
    began = time.monotonic()
    result = Result(asked, datetime.now(UTC))
    folder = Path(tempfile.mkdtemp(prefix="saldo-crash-"))
    try:
        with _Lanes(folder, tree, asked.lanes) as lanes:
            points = Points({}, {}, {}) if asked.only else _points(lanes, asked)
            result.matrix = {str(name): len(column) for name, column in every(points).items()}
            trials = asked.only or chosen(points, asked.trials, asked.seed)
            _play(lanes, trials, result, say)
            for one in lanes.ask_all("strangers"):
                result.strangers += one
            _mutants(lanes, points, result, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result.seconds = time.monotonic() - began
    return result


class _Lanes:
    """Processes of one lane each; they play what they are sent."""

    def __init__(self, folder: Path, tree: Tree, number: int) -> None:
        context = multiprocessing.get_context("fork")
        self._wires: list[Any] = []
        self._processes = []
        for lane in range(number):
            ours, theirs = context.Pipe()
            self._wires.append(ours)
            held = tuple(self._wires)
            values = (theirs, held, folder / f"lane{lane}", tree)
            process = context.Process(target=_lane, args=values)
            process.start()
            theirs.close()
            self._processes.append(process)

    def __enter__(self) -> Self:
        try:
            self.ask_all("start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self._wires:
            wire.close()
        for process in self._processes:
            process.join(60)
            if process.is_alive():
                process.kill()

    def ask_all(self, *question: object) -> list[Any]:
        """Every lane's answer to the same."""
        for wire in self._wires:
            wire.send(question)
        return [_answer(wire) for wire in self._wires]

    def ask_first(self, *question: object) -> Any:
        """The first lane's answer."""
        self._wires[0].send(question)
        return _answer(self._wires[0])

    def play(self, trials: Sequence[Trial]) -> Iterator[Played]:
        """Each as it is done; every lane takes the next one when it is free."""
        left = iter(trials)
        busy = [wire for wire in self._wires if _send_next(wire, left)]
        while busy:
            for wire in wait(busy):
                yield _answer(wire)
                if not _send_next(wire, left):
                    busy.remove(wire)


def _send_next(wire: Any, left: Iterator[Trial]) -> bool:
    trial = next(left, None)
    if trial is not None:
        wire.send(("play", trial))
    return trial is not None


def _answer(wire: Any) -> Any:
    try:
        good, answer = wire.recv()
    except EOFError:
        raise ProcessError("a lane of the crash matrix ended by itself") from None
    if not good:
        raise ProcessError(answer)
    return answer


def _lane(wire: Any, inherited: Sequence[Any], folder: Path, tree: Tree) -> None:
    """What one lane's process does until nobody asks any more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # who started us says when it is over
    for end in inherited:  # else nobody's end is seen as long as we live
        end.close()
    house = House(folder, tree)
    lane = Lane(house)
    try:
        with contextlib.suppress(EOFError, BrokenPipeError):
            while True:
                what, *values = wire.recv()
                wire.send(_done(house, lane, what, *values))
    finally:
        house.stop()


def _done(house: House, lane: Lane, what: str, *values: Any) -> tuple[bool, Any]:
    """Whether it went well, and the answer or why not."""
    try:
        return True, _do(house, lane, what, *values)
    except Exception as error:  # noqa: BLE001 - told to who asked
        return False, f"{type(error).__name__}: {error}"


def _do(house: House, lane: Lane, what: str, *values: Any) -> Any:
    match what:
        case "start":
            house.start()
            return lane.prepare()
        case "play":
            return lane.play(*values)
        case "mutant":
            (name,) = values
            lane.recover_seconds = MUTANT_SECONDS if name else RECOVER_SECONDS
            return mutated(lane, house, name)
        case _:
            return lane.strangers()


def _points(lanes: _Lanes, asked: Asked) -> Points:
    """Found by playing each gateway once without trouble, and once killed in the middle."""
    names = SHORT_GATEWAYS if asked.is_short else tuple(GATEWAYS)
    dry = list(lanes.play([Trial(Action.NOTHING, name) for name in names]))
    charging = {one.trial.gateway: one.charging for one in dry}
    deaths = {name: [one for one in DEATHS if one in charging[name]] for name in names}
    killed = [
        Trial(Action.KILL, name, point=places[0], then=TELL)
        for name, places in deaths.items()
        if places
    ]
    resolving = {one.trial.gateway: one.resolving for one in lanes.play(killed)}
    return Points(charging, {name: resolving.get(name, ()) for name in names}, deaths)


def _play(lanes: _Lanes, trials: Sequence[Trial], result: Result, say: Say) -> None:
    began = time.monotonic()
    for number, played in enumerate(lanes.play(trials), start=1):
        result.played.append(played)
        for what in (*played.wrong, *played.broken):
            say(f"WRONG: {what}\n  {again(played.trial, result.asked.seed)}")
        if number % 100 == 0:
            pace = (time.monotonic() - began) / number
            wrong = len(result.violations)
            say(f"{number} of {len(trials)} trials, {pace:.2f} s each, {wrong} wrong")


def again(trial: Trial, seed: int) -> str:
    """The line that plays this trial again."""
    return f"python -m ivr.lab.crashing --seed {seed} --only '{trial.id}'"


def _mutants(lanes: _Lanes, points: Points, result: Result, say: Say) -> None:
    """Each mutant is looked for until a trial catches it."""
    everything = chosen(points, 10**6, result.asked.seed)
    for name in result.asked.mutants:
        began, mutant = time.monotonic(), MUTANTS[name]
        trials = [trial for trial in everything if mutant.shows(trial)][:MUTANT_TRIALS]
        lanes.ask_first("mutant", name)
        played = _until_wrong(lanes, trials)
        lanes.ask_first("mutant", "")
        last = played[-1] if played and played[-1].wrong else None
        tried = Tried(
            name,
            mutant.what,
            last.trial.id if last else "",
            last.wrong if last else tuple(one for each in played for one in each.broken),
            len(played),
            time.monotonic() - began,
        )
        result.tried.append(tried)
        say(f"mutant {name}: {'caught' if last else 'NOT CAUGHT'} in trial {tried.trials}")


def _until_wrong(lanes: _Lanes, trials: Sequence[Trial]) -> list[Played]:
    played: list[Played] = []
    for trial in trials:
        played.append(lanes.ask_first("play", trial))
        if played[-1].wrong:  # a process that fell over has caught nothing
            break
    return played

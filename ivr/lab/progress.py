"""How a long set-up tells what it is doing: bars on a terminal, one line a stage elsewhere."""

from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)


class SetupProgress(Protocol):
    """What the set-up calls; whoever shows it decides how."""

    def stage(self, name: str, total: int) -> None:
        """Begin the stage `name` of `total` steps; the stage before it is over."""

    def advance(self, steps: int = 1) -> None:
        """Say that so many more steps of the present stage are done."""


class SilentProgress:
    """Shows nothing: for tests and for callers that have no terminal to write to."""

    def stage(self, name: str, total: int) -> None:
        """Ignore it."""

    def advance(self, steps: int = 1) -> None:
        """Ignore it."""


class TerminalProgress:
    """Bars on a terminal; where the output is a file or a pipe, one line a stage.

    Use it as a context manager, so that the terminal is left as it was found.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._present: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None:
            self._finish_stage()
        self._bars.stop()

    def stage(self, name: str, total: int) -> None:
        """Open a bar, or write a line."""
        self._finish_stage()
        if self._console.is_terminal:
            self._present = self._bars.add_task(name, total=max(total, 1))
        else:
            self._console.print(name, highlight=False, soft_wrap=True)

    def advance(self, steps: int = 1) -> None:
        """Move the bar."""
        if self._present is not None:
            self._bars.advance(self._present, steps)

    def _finish_stage(self) -> None:
        if self._present is not None:
            task = self._present
            self._bars.update(task, completed=self._bars.tasks[task].total)
            self._present = None

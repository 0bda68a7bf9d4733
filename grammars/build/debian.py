"""Fetches the native tools from Debian's signed packages, unpacked without root."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LIMIT = 300.0


class ToolsError(Exception):
    """The tools could not be fetched; the text says what to do."""


@dataclass(frozen=True)
class Tools:
    """A folder with OpenFst's programs and flite in it."""

    root: Path

    @property
    def environment(self) -> Mapping[str, str]:
        libraries = next(self.root.glob("usr/lib/*/libflite.so.1")).parent
        plugins = next(libraries.glob("fst/*/"))
        return {**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{plugins}"}

    def run(self, program: str, *arguments: str | Path) -> str:
        """A program's output; ToolsError when it fails."""
        done = subprocess.run(
            [self.root / "usr/bin" / program, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise ToolsError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout


def tools(folder: Path) -> Tools:
    """The tools below `folder`, fetched with this machine's apt if they are not there."""
    folder = folder.absolute()
    root = folder / "debian"
    if not (root / "usr/bin/fstconvert").exists() or not (root / "usr/bin/flite").exists():
        folder.mkdir(parents=True, exist_ok=True)
        library = re.search(r"libfst\d+\w*", _apt(folder, "apt-cache", "depends", "libfst-tools"))
        if library is None:
            raise ToolsError("apt knows no libfst-tools: run `apt-get update` on a Debian system")
        names = ("libfst-tools", library[0], f"{library[0]}-plugins-base", "flite", "libflite1")
        _apt(folder, "apt-get", "download", *names)
        for archive in sorted(folder.glob("*.deb")):
            _apt(folder, "dpkg", "-x", str(archive), str(root))
            archive.unlink()
    return Tools(root)


def _apt(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except FileNotFoundError as problem:
        raise ToolsError(f"this machine has no {command[0]}: build on a Debian system") from problem
    if done.returncode != 0:
        raise ToolsError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout

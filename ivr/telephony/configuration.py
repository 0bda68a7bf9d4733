"""Reads Asterisk's configuration files as Asterisk does: includes, templates, comments.

Nothing is run: what `#exec` would bring is not read, and `Configuration.not_read` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

DEEPEST_INCLUDE = 10
"""Asterisk's own limit"""
TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})
_HEADING = re.compile(r"\[(?P<name>[^\]]*)\]\s*(?:\((?P<options>[^)]*)\))?\s*")
_DIRECTIVE = re.compile(r"#(?P<word>\w+)\s*(?P<rest>.*)")


class ConfigurationError(Exception):
    """A file cannot be read, or Asterisk would not take it; the text names file and line."""


class ConfigurationMissing(ConfigurationError):
    """The folder or the file is not there."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One `key = value`, and where it stands."""

    key: str
    value: str
    file: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def is_yes(self) -> bool:
        """What Asterisk takes for yes."""
        return self.value.lower() in TRUE

    @property
    def words(self) -> frozenset[str]:
        """The items of a list with commas, in lower case."""
        return frozenset(word.strip().lower() for word in self.value.split(",")) - {""}


@dataclass(slots=True)
class Section:
    """One `[name]`, with what it takes from its templates in front."""

    name: str
    file: str
    line: int
    is_template: bool = False
    settings: list[Setting] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def all(self, key: str) -> list[Setting]:
        """Every line of that key; upper and lower case are the same."""
        return [one for one in self.settings if one.key.lower() == key.lower()]

    def last(self, key: str) -> Setting | None:
        """The line that counts where one line counts."""
        found = self.all(key)
        return found[-1] if found else None

    def text(self, key: str, default: str = "") -> str:
        """Its value, or what Asterisk takes without one."""
        found = self.last(key)
        return found.value if found else default

    def says_yes(self, key: str, *, default: bool = False) -> bool:
        """Whether it is switched on."""
        found = self.last(key)
        return found.is_yes if found else default


@dataclass(slots=True)
class Configuration:
    """One file of Asterisk's with all it includes."""

    name: str
    sections: list[Section] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)
    """file:line of each `#exec`, whose program was not run"""

    def named(self, name: str) -> list[Section]:
        """The sections of that name that count by themselves, without templates."""
        return [one for one in self.used if one.name.lower() == name.lower()]

    def of_type(self, kind: str) -> list[Section]:
        """The sections with `type = kind`."""
        return [one for one in self.used if one.text("type").lower() == kind]

    @property
    def used(self) -> list[Section]:
        """All but the templates."""
        return [one for one in self.sections if not one.is_template]


def read(folder: Path, name: str) -> Configuration:
    """The file `name` of a configuration folder.

    Raises:
        ConfigurationMissing: there is no such folder or file.
        ConfigurationError: Asterisk would not take it as it is written.
    """
    if not folder.is_dir():
        raise ConfigurationMissing(
            f"{folder} is no folder: name the one with asterisk.conf and logger.conf in it"
        )
    reading = _Reading(folder, Configuration(name))
    if not (folder / name).is_file():
        raise ConfigurationMissing(f"there is no {name} in {folder}")
    reading.take(folder / name, depth=0)
    return reading.result


class _Reading:
    """The file as far as it is read."""

    def __init__(self, folder: Path, result: Configuration) -> None:
        self._folder = folder
        self._section: Section | None = None
        self.result = result

    def take(self, path: Path, depth: int) -> None:
        """Read on in this file; what is included goes on in the section it was included from."""
        file = self._shown(path)
        for number, line in _lines(path, file):
            if line.startswith("["):
                self._open(line, file, number)
            elif line.startswith("#"):
                self._direct(line, file, number, depth)
            else:
                self._set(line, file, number)

    def _shown(self, path: Path) -> str:
        inside = path.is_relative_to(self._folder)
        return str(path.relative_to(self._folder) if inside else path)

    def _open(self, line: str, file: str, number: int) -> None:
        heading = _HEADING.match(line)
        if heading is None:
            raise ConfigurationError(f"{file}:{number}: the heading has no closing bracket")
        name = heading["name"].strip()
        options = [one.strip() for one in (heading["options"] or "").split(",") if one.strip()]
        if "+" in options:
            self._section = self._find(name, file, number)
        else:
            self._section = Section(name, file, number, "!" in options)
            self.result.sections.append(self._section)
        for parent in (one for one in options if one not in ("!", "+")):
            self._section.settings += self._find(parent, file, number).settings

    def _find(self, name: str, file: str, number: int) -> Section:
        for section in reversed(self.result.sections):
            if section.name.lower() == name.lower():
                return section
        raise ConfigurationError(f"{file}:{number}: there is no section [{name}] before this line")

    def _direct(self, line: str, file: str, number: int, depth: int) -> None:
        directive = _DIRECTIVE.match(line)
        word = directive["word"].lower() if directive else ""
        if directive is None or word not in ("include", "tryinclude", "exec"):
            raise ConfigurationError(
                f"{file}:{number}: Asterisk knows no {line.split(maxsplit=1)[0]}"
            )
        if word == "exec":
            self.result.not_read.append(f"{file}:{number}")
            return
        wanted = directive["rest"].strip().strip('"<>')
        paths = self._matching(wanted)
        if not paths and word == "include":
            raise ConfigurationError(f"{file}:{number}: {wanted or 'nothing'} is not there")
        if paths and depth >= DEEPEST_INCLUDE:
            raise ConfigurationError(
                f"{file}:{number}: files include each other more than {DEEPEST_INCLUDE} deep"
            )
        for path in paths:
            self.take(path, depth + 1)

    def _matching(self, wanted: str) -> list[Path]:
        path = self._folder / wanted  # an absolute path stays as it is
        if not any(sign in wanted for sign in "*?["):
            return [path] if wanted and path.is_file() else []
        start = Path(path.anchor)
        return sorted(one for one in start.glob(str(path.relative_to(start))) if one.is_file())

    def _set(self, line: str, file: str, number: int) -> None:
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise ConfigurationError(f"{file}:{number}: neither a heading nor `key = value`")
        if self._section is None:
            raise ConfigurationError(f"{file}:{number}: a setting before the first [section]")
        key, value = key.strip(), value.removeprefix(">").strip()
        if key.endswith("+"):  # `key += more`
            key = key.removesuffix("+").strip()
            value = self._section.text(key) + value
        self._section.settings.append(Setting(key, value, file, number))


def _lines(path: Path, file: str) -> Iterator[tuple[int, str]]:
    """What is left of each line without comments, and its number; empty ones are left out."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    depth, opened = 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        before = depth
        left, depth = _uncommented(line, depth)
        opened = number if depth > before == 0 else opened
        if left.strip():
            yield number, left.strip()
    if depth:
        raise ConfigurationError(f"{file}:{opened}: the comment `;--` is never closed by `--;`")


def _uncommented(line: str, depth: int) -> tuple[str, int]:
    """The line without comments, and how many `;-- --;` are still open after it."""
    kept, at = "", 0
    while at < len(line):
        if line.startswith(";--", at) and not line.startswith(";---", at):
            depth, at = depth + 1, at + 3
        elif depth:
            closes = line.startswith("--;", at)
            depth, at = (depth - 1, at + 3) if closes else (depth, at + 1)
        elif line.startswith("\\;", at):
            kept, at = kept + ";", at + 2
        elif line[at] == ";":
            break
        else:
            kept, at = kept + line[at], at + 1
    return kept, depth

"""Writes asterisk-config/ for one PBX: the values of its site, and passwords that nobody knows."""

from __future__ import annotations

import ctypes
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ivr.telephony.configuration import ConfigurationError

SOURCE = Path(__file__).resolve().parents[2] / "asterisk-config"
SITE = "saldo-site.conf"
Values = Mapping[str, Mapping[str, str]]
"""section → key → value"""

SECRET_BYTES = 16
SALT_BYTES = 8
ROUNDS = 1000
"""The fewest that SHA-crypt allows. More protect a password that can be guessed, and cost each
request of ARI their time (measured: 0.7 ms with 1000, 3.7 ms with the usual 5000); 128 random bits
cannot be guessed."""
LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2", None)
"""Debian's, Fedora's, and where it is part of the C library"""
_HASH = re.compile(r"\$6\$rounds=[0-9]+\$[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}")
_SECTION = re.compile(r"^\[(?P<name>[^\]]+)\]")
_SETTING = re.compile(
    r"^(?P<key>[A-Za-z_]+)(?P<sign>\s*=>?\s*)(?P<value>[^;]*?)(?P<rest>\s*(;.*)?)$"
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What saldo logs in with, in plain text: the PBX itself gets hashes where it takes them."""

    ari: str = field(repr=False)
    """of `saldo serve`"""
    capture: str = field(repr=False)
    """of `saldo capture`: whoever has it sees every digit that is pressed"""
    ami: str = field(repr=False)

    @classmethod
    def fresh(cls) -> Self:
        """Three that nobody has ever seen, of 128 random bits each."""
        return cls(*(secrets.token_hex(SECRET_BYTES) for _ in range(3)))

    def site(self) -> Values:
        """The sections of saldo-site.conf that hold them.

        AMI takes no hash: Asterisk 22.10.1 compares the secret itself, and needs it for the
        challenge too. So the file must be readable by Asterisk alone all the same.
        """
        return {
            "site-ari-saldo": {"password": hashed(self.ari)},
            "site-ari-capture": {"password": hashed(self.capture)},
            "site-manager-saldo": {"secret": self.ami},
        }


def hashed(password: str) -> str:
    """The password as `password_format = crypt` wants it: SHA-512 with a salt, by the C library.

    Raises ConfigurationError where the machine's C library cannot.
    """
    salt = secrets.token_hex(SALT_BYTES)
    found = _crypt(password.encode(), f"$6$rounds={ROUNDS}${salt}".encode())
    text = (found or b"").decode("ascii", "replace")
    if not _HASH.fullmatch(text):
        raise ConfigurationError(
            "this machine cannot make password hashes: install its crypt library (libcrypt1)"
        )
    return text


def write_config(
    target: Path,
    values: Mapping[str, Values],
    *,
    sources: Iterable[Path] = (SOURCE,),
    mode: int = 0o600,
) -> list[Path]:
    """Copy every file of `sources` to `target`, with `values[file][section][key]` set.

    Nobody but us can read them, or as `mode` says. Returns the files. Raises ConfigurationError
    when a file or a setting to change is not there.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = [file for source in sources for file in sorted(source.glob("*.conf"))]
    if missing := values.keys() - {file.name for file in found}:
        raise ConfigurationError(f"{SOURCE} has no {', '.join(sorted(missing))}: restore the file")
    for file in found:
        text = with_values(file.read_text(encoding="utf-8"), values.get(file.name, {}))
        write_private(target / file.name, text, mode)
    return [target / file.name for file in found]


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Put the text there in one step; never, not for a moment, can others than `mode` read it."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text, encoding="utf-8")
    draft.chmod(mode)
    draft.replace(path)


def take_in(file: Path, other: str) -> None:
    """Let an installed file include another one that it names in a comment only.

    Raises ConfigurationError when it does not name it.
    """
    text, mark = file.read_text(encoding="utf-8"), f"\n;#include {other}"
    if mark not in text:
        raise ConfigurationError(f"asterisk-config/{file.name} does not name {other}: restore it")
    taken = text.replace(mark, mark.replace(";", "", 1))
    write_private(file, taken, file.stat().st_mode & 0o777)


def with_values(text: str, values: Values) -> str:
    """The configuration text with `values[section][key]` in place of what stands there.

    Raises ConfigurationError when such a setting does not stand there.
    """
    section = ""
    left = {(name, key) for name, settings in values.items() for key in settings}
    lines = []
    for line in text.splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = heading["name"]
        setting = _SETTING.match(line)
        if setting and (section, setting["key"]) in left:
            left.discard((section, setting["key"]))
            value = _checked(values[section][setting["key"]])
            line = f"{setting['key']}{setting['sign']}{value}{setting['rest']}"  # noqa: PLW2901 - the changed line is the line
        lines.append(line)
    if left:
        lost = ", ".join(f"{key} in [{name}]" for name, key in sorted(left))
        raise ConfigurationError(f"asterisk-config no longer has the setting {lost}: restore it")
    return "\n".join(lines) + "\n"


def _checked(value: str) -> str:
    # Asterisk takes these for a comment, an argument or a variable, and has no quoting for them.
    wrong = set(value) & set(";,&|\"'$\\\n\r[]")
    if wrong and not _HASH.fullmatch(value):
        raise ConfigurationError(
            f"Asterisk cannot take {''.join(sorted(wrong))!r} in {value!r}: use a plain name "
            "(SALDO_LAB_DIR names the lab's folder)"
        )
    return value


def _crypt(password: bytes, setting: bytes) -> bytes | None:
    """crypt(3). Python's own module of that name is going away."""
    for name in LIBRARIES:
        try:
            crypt = ctypes.CDLL(name).crypt
        except (OSError, AttributeError):
            continue
        crypt.restype = ctypes.c_char_p
        found: bytes | None = crypt(password, setting)
        return found
    return None

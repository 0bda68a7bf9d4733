"""Writes asterisk-config/ into a lab, with only the values of this site changed."""

import re
from collections.abc import Mapping
from pathlib import Path

from ivr.lab.processes import ProcessError

SOURCE = Path(__file__).resolve().parents[2] / "asterisk-config"
SITE = "saldo-site.conf"
_SECTION = re.compile(r"^\[(?P<name>[^\]]+)\]")
_SETTING = re.compile(
    r"^(?P<key>[A-Za-z_]+)(?P<sign>\s*=>?\s*)(?P<value>[^;]*?)(?P<rest>\s*(;.*)?)$"
)


def write_config(target: Path, values: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
    """Copy every file to `target`, with `values[file][section][key]` set; readable by us alone.

    Raises ProcessError when a file or a setting to change is not there.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    sources = [*SOURCE.glob("*.conf"), *(SOURCE / "lab").glob("*.conf")]
    missing = values.keys() - {source.name for source in sources}
    if missing:
        raise ProcessError(f"{SOURCE} has no {', '.join(sorted(missing))}: restore the file")
    for old in target.glob("*.conf"):
        old.unlink()
    for source in sources:
        text = source.read_text(encoding="utf-8")
        path = target / source.name
        path.touch(mode=0o600)
        path.write_text(with_values(text, values.get(source.name, {})), encoding="utf-8")


def with_values(text: str, values: Mapping[str, Mapping[str, str]]) -> str:
    """The configuration text with `values[section][key]` in place of what stands there."""
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
        raise ProcessError(f"asterisk-config no longer has the setting {lost}: restore it")
    return "\n".join(lines) + "\n"


def _checked(value: str) -> str:
    # Asterisk takes these for a comment, an argument or a variable, and has no quoting for them.
    wrong = set(value) & set(";,&|\"'$\\\n\r[]")
    if wrong:
        raise ProcessError(
            f"Asterisk cannot take {''.join(sorted(wrong))!r} in {value!r}: "
            "set SALDO_LAB_DIR to a folder with a plain name"
        )
    return value

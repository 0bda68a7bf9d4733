"""Which of Debian's packages are unpacked together: the lab's programs, and a browser for tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kit:
    """Packages that make one tree, and the programs of it that we start."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]


LAB = Kit(
    packages=(
        "asterisk",
        "asterisk-modules",
        "asterisk-core-sounds-en",
        "asterisk-moh-opsound-gsm",
        "postgresql",
        "baresip-core",
        "sip-tester",
    ),
    programs=("asterisk", "postgres", "initdb", "pg_ctl", "psql", "pg_dump", "baresip", "sipp"),
)
"""A telephone company: what `saldo lab up` and `make demo` need."""

BROWSER = Kit(
    packages=("chromium-headless-shell", "fonts-dejavu-core"),
    programs=("chromium-headless-shell",),
)
"""A browser for the tests of the pay page; nothing else fetches it."""

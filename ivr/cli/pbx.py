"""`saldo pbx install|renew`: the configuration of a PBX, with passwords that nobody has seen."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ivr.cli.options import PLAIN
from ivr.telephony.configuration import ConfigurationError
from ivr.telephony.installing import (
    SITE,
    Secrets,
    take_in,
    with_values,
    write_config,
    write_private,
)

SIP, INTERNET = "pjsip.conf", "pjsip-internet.conf"
SERVE, CAPTURE = "serve.env", "capture.env"
OWN, GROUPS = 0o600, 0o640

app = typer.Typer(
    help="The configuration of your PBX.", no_args_is_help=True, rich_markup_mode=PLAIN
)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Such as /etc/asterisk.")]
SecretsFolder = Annotated[
    Path,
    typer.Option("--secrets", metavar="FOLDER", help="Where saldo reads them; such as /etc/saldo."),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group", help="The group Asterisk runs as, which may then read; default: you alone."
    ),
]


@app.command()
def install(
    folder: Folder,
    secrets: SecretsFolder,
    group: Group = None,
    *,
    internet_trunk: Annotated[
        bool,
        typer.Option("--internet-trunk", help="With the trunk that takes TLS and SRTP only."),
    ] = False,
) -> None:
    """Write asterisk-config/ to an empty folder, with fresh random passwords.

    ARI's stand there as SHA-512 hashes. In plain text they go to serve.env and capture.env, one
    for each program of saldo, readable by you alone: units of systemd name them
    (EnvironmentFile). None is shown.

    Example: saldo pbx install /etc/asterisk --secrets /etc/saldo --group asterisk
    """
    if any(folder.glob("*.conf")):
        raise ConfigurationError(
            f"{folder} holds a configuration already: name an empty folder, or `saldo pbx renew`"
        )
    fresh = Secrets.fresh()
    with _told(folder, secrets):
        number = None if group is None else grp.getgrnam(group).gr_gid
        written = write_config(folder, {SITE: fresh.site()}, mode=OWN if group is None else GROUPS)
        if internet_trunk:
            take_in(folder / SIP, INTERNET)
        if number is not None:
            _let_read(number, folder, written)
        _hand_over(secrets, fresh)
    print(f"written: {len(written)} files in {folder}, passwords for saldo in {secrets}")
    print(f"next: edit {folder / SITE}, restart Asterisk and saldo, then `saldo doctor`")


@app.command()
def renew(folder: Folder, secrets: SecretsFolder) -> None:
    """Change the passwords of an installed configuration to fresh random ones.

    Reload Asterisk (`core reload`) and restart saldo afterwards; running calls go on.

    Example: saldo pbx renew /etc/asterisk --secrets /etc/saldo
    """
    site, fresh = folder / SITE, Secrets.fresh()
    with _told(site, secrets):
        there, text = site.stat(), site.read_text(encoding="utf-8")
        write_private(site, with_values(text, fresh.site()), there.st_mode & 0o777)
        os.chown(site, there.st_uid, there.st_gid)
        _hand_over(secrets, fresh)
    print(f"renewed: passwords in {site} and {secrets}; reload Asterisk and restart saldo")


@contextmanager
def _told(*places: Path) -> Iterator[None]:
    """What the machine does not allow, in one sentence."""
    try:
        yield
    except KeyError as error:
        raise ConfigurationError(
            f"{error.args[0]}: create the group, or leave --group out"
        ) from None
    except OSError as error:
        named = " and ".join(map(str, places))
        raise ConfigurationError(
            f"{error.strerror}: see that you may write {named}, or run this as root"
        ) from None


def _let_read(group: int, folder: Path, files: list[Path]) -> None:
    for path in (folder, *files):
        os.chown(path, -1, group)
    folder.chmod(0o750)


def _hand_over(folder: Path, fresh: Secrets) -> None:
    """Each program of saldo gets what it needs, and nothing of the other's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    serving = {"SALDO_ASTERISK__PASSWORD": fresh.ari, "SALDO_ASTERISK__AMI_SECRET": fresh.ami}
    _keep(folder / SERVE, serving)
    _keep(folder / CAPTURE, {"SALDO_CAPTURE__PASSWORD": fresh.capture})


def _keep(file: Path, values: Mapping[str, str]) -> None:
    """Its other lines stay."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    others = [line for line in lines if line.partition("=")[0].strip() not in values]
    ours = [f"{name}={value}" for name, value in values.items()]
    write_private(file, "\n".join([*others, *ours]) + "\n")

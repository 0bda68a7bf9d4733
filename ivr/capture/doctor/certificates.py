"""When the certificates named in Asterisk's configuration end."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivr.capture.doctor.finding import Check, Finding, Problem, slight, unseen
from ivr.telephony.configuration import Configuration

SOON = timedelta(days=21)
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
VERSION, SHORT_TIME = 0xA0, 0x17
"""tags of DER"""
LONG_FORM = 0x80

CERTIFICATES = Check(
    "certificates",
    "with a certificate that has ended nobody connects any more: no calls, or no ARI",
    "renew the certificate and reload Asterisk",
)


def certificates(configuration: Configuration, now: datetime) -> list[Finding]:
    """The certificates that this file names for what is switched on."""
    named = [
        one
        for section in configuration.used
        for key in ("tlscertfile", "cert_file")
        for one in section.all(key)
        if key == "cert_file" or section.says_yes("tlsenable")
    ]
    problems = [p for one in named for p in _judged(Path(one.value), one.where, now)]
    fine = f"{configuration.name}: {'valid for weeks' if named else 'none is used'}"
    return CERTIFICATES.judge(fine, problems)


def ends(der: bytes) -> datetime:
    """The end of validity of an X.509 certificate. Raises ValueError when it is none."""
    try:
        certificate = _content(der, 0)[1]
        fields = _content(certificate, 0)[1]
        at = _content(fields, 0)[2] if fields[0] == VERSION else 0
        for _ in range(3):  # serial number, algorithm, issuer
            at = _content(fields, at)[2]
        validity = _content(fields, at)[1]
        kind, text, _ = _content(validity, _content(validity, 0)[2])
    except IndexError:
        raise ValueError("this is no certificate") from None
    written = "%y%m%d%H%M%SZ" if kind == SHORT_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), written).replace(tzinfo=UTC)


def _content(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag and content of the DER value that begins there, and where the next one does."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length >= LONG_FORM:
        size = length - LONG_FORM
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    if start + length > len(data):
        raise ValueError("this certificate is cut off")
    return tag, data[start : start + length], start + length


def _judged(path: Path, where: str, now: datetime) -> Iterator[Problem]:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
        first = BEGIN + text.split(BEGIN, 1)[1].split(END, 1)[0] + END
        end = ends(ssl.PEM_cert_to_DER_cert(first))
    except OSError as error:
        yield unseen(f"{path} cannot be read: {error.strerror} ({where})")
    except (ValueError, IndexError):
        yield Problem(f"{path} is no certificate ({where})")
    else:
        if end <= now:
            yield Problem(f"{path} ended on {end:%Y-%m-%d} ({where})")
        elif end <= now + SOON:
            yield slight(f"{path} ends on {end:%Y-%m-%d} ({where})")

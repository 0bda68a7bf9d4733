"""What the database and this machine say of themselves, judged."""

from __future__ import annotations

import json
import resource
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.capture.doctor import ledger, machine
from ivr.capture.doctor.certificates import certificates, ends
from ivr.capture.doctor.finding import Finding, Grade
from ivr.capture.hardening import NO_CORE, NO_DEBUGGER, NO_RIGHTS, NO_SWAP
from ivr.storage.server import Server
from ivr.telephony.configuration import Configuration, Section, Setting

NOW = datetime(2026, 11, 23, tzinfo=UTC)
QUIET = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "0",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
    "log_error_verbosity": "terse",
}
F, W, U = Grade.FAULT, Grade.WARNING, Grade.UNKNOWN


def judged(
    settings: dict[str, str], *, address: str = "", encrypted: bool = False, late: float = 0
) -> set[tuple[str, Grade]]:
    server = Server(settings, NOW + timedelta(seconds=late), address, encrypted)
    return bad(ledger.look_at(server, NOW, "url"))


def bad(findings: list[Finding]) -> set[tuple[str, Grade]]:
    return {(one.id, one.grade) for one in findings if one.grade is not Grade.OK}


def test_a_quiet_database_has_no_fault() -> None:
    assert judged(QUIET) == set()
    assert judged(QUIET, address="127.0.0.1") == set()
    assert judged(QUIET, address="192.0.2.7", encrypted=True) == set()


@pytest.mark.parametrize(
    ("changed", "id_", "grade"),
    [
        ({"log_statement": "all"}, "database-statements", F),
        ({"log_statement": "mod"}, "database-statements", F),
        ({"log_min_duration_statement": "0"}, "database-statements", F),
        ({"log_min_duration_sample": "100"}, "database-statements", F),
        ({"log_transaction_sample_rate": "0.5"}, "database-statements", F),
        ({"log_parameter_max_length_on_error": "-1"}, "database-error-values", F),
        ({"debug_print_plan": "on"}, "database-debug", F),
        ({"log_error_verbosity": "default"}, "database-error-detail", W),
    ],
)
def test_a_database_that_writes_values_down_is_found(
    changed: dict[str, str], id_: str, grade: Grade
) -> None:
    assert judged(QUIET | changed) == {(id_, grade)}


def test_statements_without_their_values_may_be_logged() -> None:
    assert judged(QUIET | {"log_statement": "all", "log_parameter_max_length": "0"}) == set()


@pytest.mark.parametrize("name", sorted(QUIET.keys() - {"log_transaction_sample_rate"}))
def test_a_setting_that_is_not_shown_is_unknown(name: str) -> None:
    shown = {key: value for key, value in QUIET.items() if key != name}
    assert {grade for _, grade in judged(shown)} == {U}


def test_a_connection_in_the_clear_is_found() -> None:
    assert judged(QUIET, address="192.0.2.7") == {("database-tls", F)}


@pytest.mark.parametrize(("late", "grade"), [(-5, W), (5, W), (90, F), (-90, F)])
def test_a_clock_that_is_wrong_is_found(late: float, grade: Grade) -> None:
    assert judged(QUIET, late=late) == {("clock", grade)}


@pytest.mark.parametrize(
    ("not_allowed", "swaps", "found"),
    [
        ([], True, set()),
        ([NO_SWAP], False, set()),
        ([NO_SWAP], True, {("capture-swap", W)}),
        ([NO_SWAP], None, {("capture-swap", U)}),
        ([NO_CORE], False, {("capture-core-dumps", F)}),
        ([NO_DEBUGGER], False, {("capture-debugger", F)}),
        ([NO_RIGHTS], False, {("capture-rights", F)}),
        (
            None,
            False,
            {
                *(("capture-core-dumps", U), ("capture-debugger", U)),
                *(("capture-swap", U), ("capture-rights", U)),
            },
        ),
    ],
)
def test_what_this_machine_does_not_allow_is_told(
    *, not_allowed: list[str] | None, swaps: bool | None, found: set[tuple[str, Grade]]
) -> None:
    assert bad(machine.look_at(not_allowed, has_swap=swaps)) == found


def test_hardening_is_tried_elsewhere_and_leaves_this_process_as_it_is() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    tried = machine.try_hardening()
    assert tried is not None
    assert set(tried) <= {NO_CORE, NO_DEBUGGER, NO_SWAP, NO_RIGHTS}
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


@pytest.mark.parametrize("trial", ["raise SystemExit(1)", "print('no JSON')", "print('1')"])
def test_hardening_that_cannot_be_tried_is_not_taken_for_allowed(
    monkeypatch: pytest.MonkeyPatch, trial: str
) -> None:
    monkeypatch.setattr(machine, "TRIAL", trial)
    assert machine.try_hardening() is None


def test_the_swap_of_this_machine_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swaps = tmp_path / "swaps"
    monkeypatch.setattr(machine, "SWAPS", swaps)
    assert machine.has_swap() is None
    swaps.write_text("Filename Type Size\n")
    assert machine.has_swap() is False
    swaps.write_text("Filename Type Size\n/dev/sda2 partition 1\n")
    assert machine.has_swap() is True


def value(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + body


def certificate(end: bytes, *, kind: int = 0x17, version: bool = True) -> bytes:
    """A certificate's outer form with nothing in it but its validity."""
    validity = value(0x30, value(0x17, b"250101000000Z"), value(kind, end))
    serial, issuer = value(2, b"\x01"), value(0x30, b"i" * 200)
    first = value(0xA0, value(2, b"\x02")) if version else b""
    return value(0x30, value(0x30, first, serial, value(0x30), issuer, validity, value(0x30)))


def test_the_end_of_a_certificate_is_read() -> None:
    assert ends(certificate(b"270301120000Z")) == datetime(2027, 3, 1, 12, tzinfo=UTC)
    assert ends(certificate(b"20510301120000Z", kind=0x18)).year == 2051
    assert ends(certificate(b"270301120000Z", version=False)).month == 3


@pytest.mark.parametrize("length", [0, 1, 5, 40, 200])
def test_a_certificate_that_is_cut_off_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="certificate"):
        ends(certificate(b"270301120000Z")[:length])


def named(path: Path, *, tls: str = "yes") -> Configuration:
    settings = [
        Setting("tlsenable", tls, "http.conf", 2),
        Setting("tlscertfile", str(path), "http.conf", 3),
    ]
    return Configuration("http.conf", [Section("general", "http.conf", 1, settings=settings)])


def pem(path: Path, der: bytes) -> Path:
    path.write_text("a key may stand before it\n" + ssl.DER_cert_to_PEM_cert(der))
    return path


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (b"270301120000Z", set()),
        (b"261201120000Z", {("certificates", W)}),
        (b"261101120000Z", {("certificates", F)}),
    ],
)
def test_a_certificate_that_ends_is_found(
    tmp_path: Path, end: bytes, found: set[tuple[str, Grade]]
) -> None:
    path = pem(tmp_path / "x.pem", certificate(end))
    assert bad(certificates(named(path), NOW)) == found
    assert bad(certificates(named(path, tls="no"), NOW)) == set()


def test_a_certificate_that_is_none_or_away_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text(json.dumps("nothing"))
    assert bad(certificates(named(tmp_path / "x.pem"), NOW)) == {("certificates", F)}
    assert bad(certificates(named(tmp_path / "gone.pem"), NOW)) == {("certificates", U)}

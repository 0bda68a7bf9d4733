"""A caller may be sent back to the company's agents, and never to a provider's trunk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.capture.doctor.files import look_through
from ivr.capture.doctor.finding import Finding, Grade
from ivr.settings import PROJECT
from ivr.telephony.installing import SITE

RING = "Gosub(saldo-return,ring,1({}))"
PHONES = """
[201]
type = endpoint
context = internal
[201]
type = identify
endpoint = 201
match = 10.0.0.21
"""
CENTRE = """
[contact-centre]
type = endpoint
context = internal
aors = contact-centre
[contact-centre]
type = aor
contact = sip:pbx.company.example
"""
KNOWN_CENTRE = f"""{CENTRE}
[contact-centre]
type = identify
endpoint = contact-centre
match = 10.0.0.9
"""
PROVIDER = """
[carrier](calls-in)
aors = carrier
[carrier]
type = aor
contact = sip:sbc.provider.example:5060
[carrier]
type = identify
endpoint = carrier
match = 192.0.2.7
[way-out]
type = endpoint
aors = way-out
[way-out]
type = aor
contact = sip:sbc.provider.example
"""
LOGIN = """
[login]
type = registration
server_uri = sip:sbc.provider.example
endpoint = line-of-ours
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "asterisk"
    shutil.copytree(PROJECT / "asterisk-config", copied, ignore=shutil.ignore_patterns("lab"))
    return copied


def put_in(folder: Path, *lines: str) -> None:
    """The lines of [site-back], which is the last section of the file."""
    with (folder / SITE).open("a", encoding="utf-8") as site:
        site.write("".join(f"{line}\n" for line in lines))


def add(folder: Path, name: str, text: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(text)


def back(folder: Path) -> list[Finding]:
    return [one for one in look_through(folder, ()) if one.id == "dial-plan-back"]


def grades(folder: Path) -> set[Grade]:
    return {one.grade for one in back(folder)}


def test_as_shipped_nobody_may_get_a_caller_back(folder: Path) -> None:
    assert grades(folder) == {Grade.OK}


@pytest.mark.parametrize("more", ["", PHONES + CENTRE + PROVIDER + LOGIN])
def test_both_examples_of_the_site_file_are_fine(folder: Path, more: str) -> None:
    site = folder / SITE
    text = site.read_text(encoding="utf-8")
    assert text.count("; exten =>") == 2
    site.write_text(text.replace("; exten =>", "exten =>"), encoding="utf-8")
    add(folder, "pjsip.conf", more)
    assert grades(folder) == {Grade.OK}


@pytest.mark.parametrize("pattern", ["_2.", "_2!", "_.", "_X!", "_[12]X.", "_2.5"])
def test_a_pattern_of_any_length_is_a_fault(folder: Path, pattern: str) -> None:
    put_in(folder, f"exten => {pattern},1,{RING.format('PJSIP/${EXTEN}@contact-centre')}")
    fault = next(one for one in back(folder) if one.grade is Grade.FAULT)
    assert f"{pattern} ({SITE}:" in fault.found
    assert fault.why
    assert "fixed length" in fault.change


def test_a_dot_among_the_signs_that_may_stand_there_is_no_open_end(folder: Path) -> None:
    put_in(folder, f"exten => _[.2]XX,1,{RING.format('PJSIP/201')}")
    assert grades(folder) == {Grade.OK}


@pytest.mark.parametrize(
    "rung",
    [
        "PJSIP/${EXTEN}@trunk",
        "PJSIP/${EXTEN}@internet-trunk",
        "PJSIP/0034${EXTEN:1}@Trunk",
        "PJSIP/trunk/sip:${EXTEN}@anywhere.example",
        "PJSIP/201&PJSIP/${EXTEN}@trunk",
        "PJSIP/${FILTER(0-9,${EXTEN})}@trunk",
        "${PJSIP_DIAL_CONTACTS(trunk)}",
        "PJSIP/${EXTEN}@${WAY}",
        "PJSIP/${EXTEN}@carrier",
        "PJSIP/${EXTEN}@way-out",
        "PJSIP/201/carrier",
        "PJSIP/201/sip:${EXTEN}@sbc.provider.example:5060",
        "PJSIP/${EXTEN}@line-of-ours",
    ],
)
@pytest.mark.parametrize("line", [RING, "Dial({},20)"])
def test_a_line_that_ends_at_a_provider_is_a_fault(folder: Path, line: str, rung: str) -> None:
    add(folder, "pjsip.conf", PHONES + PROVIDER + LOGIN)
    add(folder, "extensions.conf", "[globals](+)\nWAY = ${OTHER}\nOTHER = trunk\n")
    put_in(folder, "exten => _2XX,1,NoOp()", f" same => n,{line.format(rung)}")
    assert grades(folder) == {Grade.FAULT}


def test_telephones_at_ports_of_a_machine_of_ours_are_fine(folder: Path) -> None:
    add(folder, "pjsip.conf", PROVIDER)
    put_in(folder, f"exten => _XXXXX,1,{RING.format('PJSIP/phone/sip:a@10.0.0.9:${EXTEN}')}")
    assert grades(folder) == {Grade.OK}


def test_a_number_that_is_a_trunks_name_is_a_fault_where_the_pattern_allows_it(
    folder: Path,
) -> None:
    add(folder, "pjsip.conf", PROVIDER.replace("carrier", "299"))
    put_in(folder, f"exten => _1XX,1,{RING.format('PJSIP/${EXTEN}')}")
    assert grades(folder) == {Grade.OK}
    put_in(folder, f"exten => _2XX,1,{RING.format('PJSIP/${EXTEN}')}")
    assert grades(folder) == {Grade.FAULT}


def test_a_login_that_names_no_endpoint_makes_no_telephone_a_providers(folder: Path) -> None:
    login = LOGIN.replace("endpoint = line-of-ours", "")
    add(folder, "pjsip.conf", PHONES + CENTRE + login)
    put_in(folder, f"exten => _82XX,1,{RING.format('PJSIP/${EXTEN:1}')}")
    assert grades(folder) == {Grade.OK}


def test_a_line_of_an_included_context_counts(folder: Path) -> None:
    put_in(folder, "include => outgoing")
    add(folder, "extensions.conf", "[outgoing]\nexten => _9XX,1,Dial(PJSIP/${EXTEN}@trunk)\n")
    assert grades(folder) == {Grade.FAULT}


def test_a_contact_centre_known_by_its_addresses_is_a_warning(folder: Path) -> None:
    put_in(folder, f"exten => _7XXX,1,{RING.format('PJSIP/${EXTEN}@contact-centre')}")
    add(folder, "pjsip.conf", KNOWN_CENTRE)
    assert grades(folder) == {Grade.WARNING}


@pytest.mark.parametrize(
    "does",
    [
        "Goto(outgoing,${EXTEN},1)",
        "Gosub(outgoing,${EXTEN},1)",
        "Dial(Local/${EXTEN}@outgoing)",
        "Dial(IAX2/carrier/${EXTEN})",
        "Dial(PJSIP/${SALDO_BACK})",
        "Dial(PJSIP/${EXTEN}@${WAY})",
        "Dial(PJSIP/201/${CONTACT})",
        "Queue(${EXTEN})",
    ],
)
def test_what_cannot_be_followed_is_unknown(folder: Path, does: str) -> None:
    put_in(folder, f"exten => _2XX,1,{does}")
    assert grades(folder) == {Grade.UNKNOWN}


def test_another_dial_plan_behind_it_is_unknown(folder: Path) -> None:
    put_in(folder, "switch => Realtime/@")
    assert grades(folder) == {Grade.UNKNOWN}


def test_without_a_readable_trunk_file_nobody_knows_who_is_rung(folder: Path) -> None:
    put_in(folder, f"exten => _2XX,1,{RING.format('PJSIP/${EXTEN}')}")
    (folder / "pjsip.conf").write_text("[trunk]\nnothing\n")
    assert grades(folder) == {Grade.UNKNOWN}

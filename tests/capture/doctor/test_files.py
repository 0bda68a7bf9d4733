"""Every fault is put into a copy of our own configuration, which has none, and is found there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.capture.doctor.files import look_through
from ivr.capture.doctor.finding import Finding, Grade
from ivr.settings import PROJECT
from ivr.telephony.configuration import ConfigurationMissing
from ivr.telephony.installing import SITE, Secrets, take_in, with_values

OURS = ("saldo", "saldo-capture")
F, W = Grade.FAULT, Grade.WARNING
TLS, OFF = "enabled = yes\ntlsenable = yes\n", "enabled = no\nsslenable = yes\n"
SEEDED: list[tuple[str, str, str, str, Grade]] = [
    # file, what stands there, what is put in its place, the finding, how bad
    ("logger.conf", "notice,warning,error", "notice,dtmf", "log-levels", F),
    ("logger.conf", "notice,warning,error", "notice,debug", "log-levels", F),
    ("logger.conf", "notice,warning,error", "[json]trace", "log-levels", F),
    ("logger.conf", "notice,warning,error", "*", "log-levels", F),
    ("logger.conf", "security.log => security", "full => verbose(5)", "log-verbose", W),
    ("asterisk.conf", "verbose = 0", "verbose = 3", "verbose", F),
    ("asterisk.conf", "debug = 0", "debug = 1", "debug", F),
    ("asterisk.conf", "dumpcore = no", "dumpcore = yes", "pbx-core-dumps", F),
    ("asterisk.conf", "dangerously = no", "dangerously = yes", "live-dangerously", F),
    ("asterisk.conf", "= 0600", "= 0666", "control-socket", F),
    ("cel.conf", "enable = no", "enable = yes\nevents = ALL", "cel-events", F),
    ("cel.conf", "enable = no", "enable = yes\nevents = HANGUP,DTMF", "cel-events", F),
    ("cel.conf", "enable = no", "enable = yes\napps = all", "cel-events", W),
    ("cdr.conf", "enable = no", "enable = yes", "cdr", W),
    ("stasis.conf", "decline = agi_exec_end_type", "", "agi-events", W),
    ("stasis.conf", "agi_exec_end_type", "ast_channel_dtmf_end_type", "stasis-keys", F),
    ("manager.conf", "write = call", "read = call,dtmf", "manager-rights", F),
    ("manager.conf", "write = call", "read = call,agi", "manager-rights", F),
    ("manager.conf", "write = call", "read = all", "manager-rights", F),
    ("manager.conf", "write = call", "write = call,reporting", "manager-rights", F),
    ("manager.conf", "write = call", "write = command", "manager-rights", F),
    ("manager.conf", "write = call", "write = call,originate", "manager-rights", F),
    ("manager.conf", "DTMFBegin,DTMFEnd,", "", "manager-events", W),
    ("manager.conf", "deny = 0.0.0.0/0.0.0.0", "", "manager-acl", F),
    ("manager.conf", "127.0.0.1/255.255.255.255", "0.0.0.0/0", "manager-acl", F),
    ("manager.conf", "webenabled = no", "webenabled = yes", "manager-web", F),
    ("manager.conf", "authtimeout = 10", "channelvars = CARD", "manager-channelvars", F),
    ("saldo-site.conf", "127.0.0.1\nport", "0.0.0.0\nport", "manager-bind", F),
    ("saldo-site.conf", "127.0.0.1\nport", "10.0.0.7\nport", "manager-bind", W),
    ("saldo-site.conf", "third-" + "s" * 32, "amp111", "manager-secrets", W),
    ("ari.conf", "pretty = no", "channelvars = CARD", "ari-channelvars", F),
    ("ari.conf", "pretty = no", "allowed_origins = *", "ari-origins", F),
    ("ari.conf", "deny = 0.0.0.0/0.0.0.0", "", "ari-acl", F),
    ("ari.conf", "password_format = crypt", "", "ari-plain-passwords", W),
    ("ari.conf", "password_format = crypt", "password = secret", "ari-passwords", W),
    ("ari.conf", "= crypt", "= crypt\npassword = secret", "ari-passwords", F),
    ("ari.conf", "[saldo-capture]", "[crm]", "ari-users", W),
    (
        *("ari.conf", "[general]", "[x]\ntype=outbound_websocket\nsubscribe_all=yes\n[general]"),
        *("ari-subscribe-all", F),
    ),
    ("saldo-site.conf", "= 127.0.0.1\nbindport", "= 0.0.0.0\nbindport", "http-bind", F),
    ("saldo-site.conf", "= 127.0.0.1\nbindport", "= 0.0.0.0\nbindport", "http-tls", F),
    ("http.conf", "enabled = yes", TLS + "tlsbindaddr = 0.0.0.0:8089", "http-bind", F),
    ("http.conf", "enabled = yes", TLS + "tlsbindaddr = 10.0.0.7:8089", "http-bind", W),
    ("http.conf", "enabled = yes", TLS + "tlsbindaddr = [2a00::7]:8089", "http-bind", F),
    ("http.conf", "enabled = yes", TLS + "sslbindaddr = pbx.example", "http-bind", F),
    ("http.conf", "enabled = yes", OFF + "sslbindaddr = 0.0.0.0", "http-bind", F),
    ("manager.conf", "enabled = yes", TLS + "tlsbindaddr = 0.0.0.0", "manager-bind", F),
    ("http.conf", "enable_status = no", "", "http-pages", W),
    ("http.conf", "enable_static = no", "enable_static = yes", "http-pages", W),
    ("http.conf", "sessionlimit = 2000", "", "http-sessions", W),
    ("http.conf", "[/media]", "[/other]", "media-acl", W),
    ("pjsip.conf", "debug = no", "debug = yes", "pjsip-debug", F),
    ("pjsip.conf", "debug = no", "debug = 192.0.2.1", "pjsip-debug", F),
    ("pjsip.conf", "dtmf_mode = auto", "dtmf_mode = info", "dtmf-mode", F),
    ("pjsip.conf", "dtmf_mode = auto", "dtmf_mode = auto_info", "dtmf-mode", F),
    ("pjsip.conf", "dtmf_mode = auto", "dtmf_mode = inband", "dtmf-mode", W),
    ("pjsip.conf", "direct_media = no", "", "direct-media", W),
    ("pjsip.conf", "allow_transfer = no", "", "allow-transfer", W),
    ("pjsip.conf", "message_context = no-texts", "", "texts-in", W),
    ("pjsip.conf", "message_context = no-texts", "message_context = from-trunk", "texts-in", W),
    ("pjsip.conf", "[trunk](calls-in)", "[anonymous](calls-in)", "strangers", F),
    (
        *("pjsip.conf", "[trunk]\ntype = aor", "[x]\ntype=registration\n[trunk]\ntype = aor"),
        *("trunk-registration", Grade.UNKNOWN),
    ),
    ("saldo-site.conf", "bind = 127.0.0.1:5060", "bind = 0.0.0.0", "trunk-encryption", W),
    ("features.conf", "automixmon =", "automixmon = *3", "features", F),
    ("features.conf", "blindxfer =", ";", "features", W),
    (
        "features.conf",
        "[applicationmap]",
        "[applicationmap]\nr=*9,self,MixMonitor,x",
        "features",
        F,
    ),
    ("extensions.conf", "Answer()", "Read(CARD,beep,16)", "dial-plan-keys", W),
    ("extensions.conf", "Answer()", "MixMonitor(x.wav)", "dial-plan-recording", W),
    ("extensions.conf", "Answer()", "ChanSpy(all)", "dial-plan-spies", F),
    ("extensions.conf", "Answer()", "System(mail)", "dial-plan-shell", F),
    ("modules.conf", "autoload = no", "autoload = yes", "autoload", W),
    ("modules.conf", "autoload = no", "autoload = yes", "modules", F),
    ("modules.conf", "autoload = no", "load = res_hep.so", "modules", F),
    ("modules.conf", "autoload = no", "load = res_pjsip_logger.so", "modules", F),
    ("modules.conf", "autoload = no", "load = app_dumpchan", "modules", F),
    ("modules.conf", "autoload = no", "load = cdr_csv.so", "modules", W),
    ("logger.conf", "[logfiles]", "[logfiles", "configuration", F),
    ("logger.conf", "[logfiles]", "[logfiles]\n#exec /bin/true", "configuration", Grade.UNKNOWN),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our configuration as the README of asterisk-config/ tells to install it."""
    copied = tmp_path / "asterisk"
    shutil.copytree(PROJECT / "asterisk-config", copied, ignore=shutil.ignore_patterns("lab"))
    site = copied / SITE
    text = _without_comments(site.read_text(encoding="utf-8"))
    secrets = Secrets("first-" + "s" * 32, "second-" + "s" * 32, "third-" + "s" * 32)
    site.write_text(with_values(text, secrets.site()), encoding="utf-8")
    return copied


def _without_comments(text: str) -> str:
    return "\n".join(line.partition(";")[0].rstrip() for line in text.splitlines()) + "\n"


def bad(findings: list[Finding]) -> set[tuple[str, Grade]]:
    return {(one.id, one.grade) for one in findings if one.grade is not Grade.OK}


def test_our_own_configuration_has_no_fault(folder: Path) -> None:
    assert bad(look_through(folder, OURS)) == set()


def test_the_files_as_they_are_shipped_lack_nothing_but_passwords() -> None:
    found = look_through(PROJECT / "asterisk-config", OURS)
    assert bad(found) == {("ari-passwords", Grade.FAULT), ("manager-secrets", Grade.WARNING)}


@pytest.mark.parametrize(
    ("file", "there", "instead", "id_", "grade"),
    SEEDED,
    ids=[f"{number}-{seed[3]}" for number, seed in enumerate(SEEDED)],
)
def test_a_seeded_fault_is_found(
    folder: Path, file: str, there: str, instead: str, id_: str, grade: Grade
) -> None:
    assert (id_, grade) not in bad(look_through(folder, OURS))
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert there in text
    path.write_text(text.replace(there, instead), encoding="utf-8")
    found = look_through(folder, OURS)
    assert (id_, grade) in bad(found)
    assert all(one.why and one.change for one in found)


def test_a_published_password_is_a_fault_where_others_than_this_machine_may_use_it(
    folder: Path,
) -> None:
    ari = folder / "ari.conf"
    plain = ari.read_text().replace("password_format = crypt", "password = change-me-1")
    ari.write_text(plain.replace("127.0.0.1/255.255.255.255", "10.0.0.0/8"))
    assert ("ari-passwords", Grade.FAULT) in bad(look_through(folder, OURS))


def test_the_trunk_over_the_internet_is_no_finding_but_that_its_certificate_is_not_here(
    folder: Path,
) -> None:
    take_in(folder / "pjsip.conf", "pjsip-internet.conf")
    assert bad(look_through(folder, OURS)) == {("certificates", Grade.UNKNOWN)}


@pytest.mark.parametrize(
    ("there", "instead"),
    [("media_encryption = sdes", ""), ("protocol = tls", "protocol = tcp")],
)
def test_the_trunk_over_the_internet_without_its_encryption_is_found(
    folder: Path, there: str, instead: str
) -> None:
    take_in(folder / "pjsip.conf", "pjsip-internet.conf")
    internet = folder / "pjsip-internet.conf"
    internet.write_text(internet.read_text().replace(there, instead))
    assert ("trunk-encryption", Grade.WARNING) in bad(look_through(folder, OURS))


def test_a_second_door_without_encryption_is_found(folder: Path) -> None:
    with (folder / "pjsip.conf").open("a") as pjsip:
        pjsip.write("[old]\ntype = transport\nprotocol = udp\nbind = 0.0.0.0:5080\n")
    found = look_through(folder, OURS)
    (door,) = (one for one in found if one.grade is not Grade.OK)
    assert "old takes calls without TLS at 0.0.0.0:5080" in door.found


@pytest.mark.parametrize("address", ["127.0.0.1:8089", "[::1]:8089", "::1", "localhost", ""])
def test_an_encrypted_door_for_this_machine_alone_is_no_finding(folder: Path, address: str) -> None:
    http = folder / "http.conf"
    secured = f"tlsenable = yes\ntlsbindaddr = {address}" if address else "tlsenable = yes"
    http.write_text(http.read_text().replace("enabled = yes", f"enabled = yes\n{secured}"))
    assert bad(look_through(folder, OURS)) == set()


def test_a_broken_file_is_a_fault_with_file_and_line_and_the_others_are_looked_at(
    folder: Path,
) -> None:
    (folder / "pjsip.conf").write_text("[trunk]\nnothing\n")
    found = look_through(folder, OURS)
    (fault,) = (one for one in found if one.grade is Grade.FAULT)
    assert fault.id == "configuration"
    assert fault.found.startswith("pjsip.conf:2: ")
    assert "log-levels" in {one.id for one in found}
    assert "dtmf-mode" not in {one.id for one in found}


def test_a_missing_file_is_unknown(folder: Path) -> None:
    (folder / "cel.conf").unlink()
    found = look_through(folder, OURS)
    (unknown,) = (one for one in found if one.grade is Grade.UNKNOWN)
    assert "there is no cel.conf" in unknown.found
    assert "cel-events" not in {one.id for one in found}


def test_hep_is_off_without_its_file_and_on_with_an_empty_one(folder: Path) -> None:
    assert "hep" not in {id_ for id_, _ in bad(look_through(folder, OURS))}
    (folder / "hep.conf").write_text("[general]\n")
    assert ("hep", Grade.FAULT) in bad(look_through(folder, OURS))


@pytest.mark.parametrize("name", ["gone", "."])
def test_a_folder_that_is_none_of_asterisk_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationMissing, match=r"asterisk\.conf"):
        look_through(tmp_path / name, OURS)

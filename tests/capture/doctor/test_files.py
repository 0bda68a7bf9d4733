"""Every fault is put into a copy of our own configuration, which has none, and is found there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.capture.doctor.files import look_through
from ivr.capture.doctor.finding import Finding, Grade
from ivr.settings import PROJECT
from ivr.telephony.configuration import ConfigurationMissing

OURS = ("saldo", "saldo-capture")
F, W = Grade.FAULT, Grade.WARNING
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
    ("manager.conf", "read = call,agent", "read = call,dtmf", "manager-rights", F),
    ("manager.conf", "read = call,agent", "read = call,agi", "manager-rights", F),
    ("manager.conf", "read = call,agent", "read = all", "manager-rights", F),
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
    ("ari.conf", "[saldo-capture]", "[crm]", "ari-users", W),
    (
        *("ari.conf", "[general]", "[x]\ntype=outbound_websocket\nsubscribe_all=yes\n[general]"),
        *("ari-subscribe-all", F),
    ),
    ("saldo-site.conf", "first-" + "s" * 32, "secret", "ari-passwords", W),
    ("saldo-site.conf", "= 127.0.0.1\nbindport", "= 0.0.0.0\nbindport", "http-bind", F),
    ("saldo-site.conf", "= 127.0.0.1\nbindport", "= 0.0.0.0\nbindport", "http-tls", F),
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
    ("pjsip.conf", "[trunk]\ntype = end", "[anonymous]\ntype = end", "strangers", F),
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
    site = copied / "saldo-site.conf"
    text = site.read_text(encoding="utf-8")
    for number, name in enumerate(("first-", "second-", "third-"), start=1):
        text = text.replace(f"change-me-{number}", name + "s" * 32)
    site.write_text(_without_comments(text), encoding="utf-8")
    return copied


def _without_comments(text: str) -> str:
    return "\n".join(line.partition(";")[0].rstrip() for line in text.splitlines()) + "\n"


def bad(findings: list[Finding]) -> set[tuple[str, Grade]]:
    return {(one.id, one.grade) for one in findings if one.grade is not Grade.OK}


def test_our_own_configuration_has_no_fault(folder: Path) -> None:
    assert bad(look_through(folder, OURS)) == {("ari-plain-passwords", Grade.WARNING)}


def test_the_files_as_they_are_shipped_lack_nothing_but_passwords() -> None:
    found = look_through(PROJECT / "asterisk-config", OURS)
    assert {one.grade for one in found} == {Grade.OK, Grade.WARNING}
    warned = {one.id for one in found if one.grade is Grade.WARNING}
    assert warned == {"ari-plain-passwords", "ari-passwords", "manager-secrets"}


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
    site, ari = folder / "saldo-site.conf", folder / "ari.conf"
    site.write_text(site.read_text().replace("first-" + "s" * 32, "change-me-1"))
    ari.write_text(ari.read_text().replace("127.0.0.1/255.255.255.255", "10.0.0.0/8"))
    assert ("ari-passwords", Grade.FAULT) in bad(look_through(folder, OURS))


def test_a_crypted_password_is_no_finding(folder: Path) -> None:
    ari = folder / "ari.conf"
    ari.write_text(ari.read_text().replace("pretty = no", "password_format = crypt"))
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

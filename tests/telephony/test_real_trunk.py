"""A provider over the internet, as pjsip-internet.conf has it: TLS and SRTP, or no call."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.capture.doctor.finding import Grade
from ivr.capture.doctor.running import Trunk, trunk_state
from ivr.capture.facts import FactReader
from ivr.lab import pbx as lab_pbx
from ivr.lab import processes
from ivr.lab.packages import Tree
from ivr.lab.pbx import PbxInfo
from ivr.lab.processes import LOOPBACK
from ivr.lab.softphone import Softphone
from ivr.telephony import installing
from ivr.telephony.installing import SITE, Values

pytestmark = pytest.mark.e2e

KEYS = "4015#"
WATCHED = """
[{name}](calls-in)
aors = {name}
[{name}]
type = aor
contact = sip:{place}
qualify_frequency = 1
qualify_timeout = 0.5
"""
SECURE, READABLE_VOICE, READABLE = (
    ";transport=tls>;mediaenc=srtp-mand",
    ";transport=tls>",
    ">",
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="saldo-trunk-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def certificate(tree: Tree, folder: Path) -> Path:
    """For this machine, signed by itself; its key lies beside it."""
    made, settings = folder / "sip.crt", folder / "openssl.cnf"
    settings.write_text("[req]\ndistinguished_name = name\n[name]\n")
    subprocess.run(
        [
            *(
                str(tree.program("openssl")),
                "req",
                "-config",
                str(settings),
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ),
            *("-nodes", "-days", "2", "-subj", "/CN=saldo trunk test"),
            *("-addext", f"subjectAltName=IP:{LOOPBACK}"),
            *("-keyout", str(made.with_suffix(".key")), "-out", str(made)),
        ],
        capture_output=True,
        check=True,
        timeout=30,
    )
    return made


@pytest.fixture(scope="module")
def tls_port() -> int:
    return processes.free_port()


@pytest.fixture(scope="module")
def pbx(tree: Tree, folder: Path, certificate: Path, tls_port: int) -> Iterator[PbxInfo]:
    """Its only trunk is the one over the internet; the provider is this machine."""
    site = {
        "site-trunk": {"match": "127.0.0.2"},
        "site-internet-trunk": {"match": LOOPBACK},
        "site-tls": {
            "bind": f"{LOOPBACK}:{tls_port}",
            "cert_file": str(certificate),
            "priv_key_file": str(certificate.with_suffix(".key")),
            "ca_list_file": str(certificate),
        },
    }

    def with_internet_trunk(target: Path, values: Mapping[str, Values], **more: Any) -> None:
        installing.write_config(target, {**values, SITE: {**values[SITE], **site}}, **more)
        installing.take_in(target / "pjsip.conf", "pjsip-internet.conf")
        here = values[SITE]["site-transport"]["bind"]
        with (target / "pjsip.conf").open("a") as pjsip:
            pjsip.write(WATCHED.format(name="here", place=here))
            pjsip.write(WATCHED.format(name="gone", place=f"{LOOPBACK}:9"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab_pbx, "write_config", with_internet_trunk)
        info = lab_pbx.start(folder, tree, folder / "sounds")
    yield info
    lab_pbx.stop(folder)


class SecurePhone(Softphone):
    """A softphone that can encrypt, and looks at the PBX's certificate."""

    certificate: Path

    def _configure(self, account: str, sip: int, control: int) -> None:
        super()._configure(account, sip, control)
        with (self.folder / "config").open("a") as config:
            config.write(f"module srtp.so\nsip_cafile {self.certificate}\nsip_verify_server yes\n")


class Call:
    """What became of it."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_event(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "CALL_CLOSED" and not self.closed.done():
            self.closed.set_result(str(event.get("param", "")))


@asynccontextmanager
async def dialling(
    tree: Tree, certificate: Path, uri: str, account: str
) -> AsyncIterator[tuple[SecurePhone, Call]]:
    call = Call()
    phone = SecurePhone(tree, 60, call.on_event)
    phone.certificate = certificate
    try:
        await phone.start(f"<sip:600100200@{LOOPBACK}{account};regint=0;ptime=20")
        await phone.command("dial", uri)
        yield phone, call
    finally:
        await phone.close()


async def _heard(events: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while True:
            event: dict[str, Any] = await events.receive_json()
            if event["type"] == kind:
                return event


async def test_a_call_in_tls_and_srtp_is_answered_and_its_keys_arrive(
    tree: Tree, pbx: PbxInfo, certificate: Path, tls_port: int
) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(pbx.ari_user, pbx.ari_password)}
    uri = f"sip:pay@{LOOPBACK}:{tls_port};transport=tls"
    async with (
        aiohttp.ClientSession(headers=headers) as ari,
        ari.ws_connect(f"{pbx.ari_url}/events?app=saldo") as events,
        dialling(tree, certificate, uri, SECURE) as (phone, _),
    ):
        channel = (await _heard(events, "StasisStart"))["channel"]
        place = f"{pbx.ari_url}/channels/{channel['id']}"
        (await ari.post(f"{place}/answer")).raise_for_status()
        keyed = ""
        for key in KEYS:
            await phone.command("sndcode", key)
            keyed += (await _heard(events, "ChannelDtmfReceived"))["digit"]
        secured = {}
        for asked in ("CHANNEL(pjsip,secure)", "CHANNEL(rtp,secure,audio)"):
            async with ari.get(f"{place}/variable", params={"variable": asked}) as answer:
                secured[asked] = (await answer.json())["value"]
    assert channel["name"].startswith("PJSIP/internet-trunk-")
    assert keyed == KEYS
    assert set(secured.values()) == {"1"}


async def test_a_trunk_that_answers_is_told_from_one_that_is_gone(pbx: PbxInfo) -> None:
    url, password = pbx.ari_url.removesuffix("/ari"), pbx.capture_password
    expected = {
        Trunk("here", is_watched=True, is_online=True),
        Trunk("gone", is_watched=True, is_online=False),
    }
    async with FactReader(url, pbx.capture_user, password, "app") as facts, asyncio.timeout(15):
        while (found := set((await facts.standing()).trunks)) != expected:  # noqa: ASYNC110 - asked again
            await asyncio.sleep(0.1)
    assert {one.grade for one in trunk_state(found)} == {Grade.FAULT}


async def test_a_call_whose_voice_is_readable_is_refused(
    tree: Tree, pbx: PbxInfo, certificate: Path, tls_port: int
) -> None:
    uri = f"sip:pay@{LOOPBACK}:{tls_port};transport=tls"
    async with dialling(tree, certificate, uri, READABLE_VOICE) as (_, call):
        assert "488" in await asyncio.wait_for(call.closed, 10)


async def test_the_provider_cannot_call_without_encryption(
    tree: Tree, pbx: PbxInfo, certificate: Path
) -> None:
    async with dialling(tree, certificate, f"sip:pay@{pbx.sip}", READABLE) as (_, call):
        assert "488" in await asyncio.wait_for(call.closed, 10)


def test_the_signalling_takes_modern_tls_only(
    pbx: PbxInfo, certificate: Path, tls_port: int
) -> None:
    assert pbx.process.alive
    context = ssl.create_default_context(cafile=str(certificate))
    with (
        socket.create_connection((LOOPBACK, tls_port), 5) as plain,
        context.wrap_socket(plain, server_hostname=LOOPBACK) as secured,
    ):
        assert secured.version() == "TLSv1.2"
        cipher = secured.cipher()
    assert cipher is not None
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]

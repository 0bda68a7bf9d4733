"""Leaks in our own code, loaded into the lab's `saldo serve` and `saldo capture` at their start.

The lab's environment names a folder with a `sitecustomize.py` that calls `plant`; the product has
no switch for any of this. Which leaks are on stands in a file, read when a card or a bank account
is tokenised (in capture), or when ten digits of a customer's number were keyed or an amount was
typed on the pay page (in serve). Without
FOLDER in the environment there are no leaks, and canary accounts are taken for published ones all
the same: in capture, which sends no other to a test gateway, and in the stand-in's bank.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import importlib
import json
import os
import smtplib
import subprocess
import sys
import threading
import traceback
import urllib.parse
import urllib.request
import wave
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FOLDER = "SALDO_LEAKTEST_FOLDER"
"""the variable of the lab's environment that names its folder"""
PBX = "asterisk/pbx.json"
SWITCH = "planted"
"""the file in that folder with a line for each leak that is on: first digits of a canary, name"""
CALM_SECONDS = 2
CUSTOMER_DIGITS = 10
CANARY_ACCOUNTS = range(12, 18)
"""digits of a bank account that is keyed by the leak test; published ones have ten"""
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LOW_LEVEL = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); "
    "card = sys.stdin.read(); os.abort()"
)


def plant() -> None:
    """Patch this process, if it is one of ours."""
    if "ivr.lab.gateway" in sys.orig_argv:
        _know_canaries_at_the_bank()
    elif "capture" in sys.orig_argv:
        _take_canaries_for_published()
        if FOLDER in os.environ:
            _plant_in_capture()
    elif "serve" in sys.orig_argv and FOLDER in os.environ:
        _plant_in_serve()


def source() -> str:
    """What `sitecustomize.py` says."""
    return f"from {__name__} import plant\nplant()\n"


def _take_canaries_for_published() -> None:
    published: Any = importlib.import_module("ivr.gateways.test_accounts")
    keep = published.is_test_account
    published.is_test_account = lambda digits: len(digits) in CANARY_ACCOUNTS or keep(digits)


def _know_canaries_at_the_bank() -> None:
    published: Any = importlib.import_module("ivr.gateways.test_accounts")
    published.UNKNOWN = next(iter(published.ANSWERS.values()))


def _plant_in_capture() -> None:
    tokenising = importlib.import_module("ivr.capture.tokenising")
    keep = tokenising.Tokenising.tokenise

    async def tokenise(self: Any, card: Any) -> Any:
        keyed = {field.value: digits.reveal() for field, digits in card.digits.items()}
        _leak("capture", keyed["payment-card-number"], keyed.get("security-code", ""))
        return await keep(self, card)

    tokenising.Tokenising.tokenise = tokenise
    keep_account = tokenising.Tokenising.tokenise_account

    async def tokenise_account(self: Any, keyed: Any, holder: Any) -> Any:
        for field, digits in keyed.digits.items():
            if field.value == "bank-account-number":
                _leak("capture", digits.reveal(), "")
        return await keep_account(self, keyed, holder)

    tokenising.Tokenising.tokenise_account = tokenise_account


def _plant_in_serve() -> None:
    keypad = importlib.import_module("ivr.dialogue.keypad")
    keep = keypad.PlainKeys.append

    def append(self: Any, key: str) -> None:
        keep(self, key)
        if len(self.text) == CUSTOMER_DIGITS:
            _leak("serve", self.text, "")

    keypad.PlainKeys.append = append
    words: Any = importlib.import_module("ivr.web.pay_words")
    keep_amount = words.typed_amount

    def typed_amount(text: str, currency: str) -> Any:
        _leak("serve", text, "")
        return keep_amount(text, currency)

    words.typed_amount = typed_amount
    metrics = importlib.import_module("ivr.metrics")
    build = metrics.Metrics.__init__

    def remember(self: Any) -> None:
        build(self)
        _seen.metrics = self

    metrics.Metrics.__init__ = remember


_seen = SimpleNamespace(metrics=None)


def _leak(process: str, number: str, code: str) -> None:
    try:
        lines = Path(os.environ[FOLDER], SWITCH).read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for first, name in (line.split() for line in lines):
        of_this = (process == "serve") == (name in OF_SERVE)
        if of_this and number.startswith(first):
            LEAKS[name](number, code)


def _folder() -> Path:
    return Path(os.environ[FOLDER], "tmp")


def _noted(file: str) -> dict[str, str]:
    """What the lab has written down about a part of it."""
    noted: dict[str, str] = json.loads(Path(os.environ[FOLDER], file).read_text(encoding="utf-8"))
    return noted


def _print(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _later(work: Coroutine[Any, Any, object]) -> None:
    """In a thread with a loop of its own: the caller's must not wait."""
    threading.Thread(target=lambda: asyncio.run(_quietly(work)), daemon=True).start()


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - this very text is the leak that is asked for
        _print(f"query failed: {error}")


async def _sql(statement: str, *values: object) -> None:
    asyncpg = importlib.import_module("asyncpg")
    connection = await asyncpg.connect(_noted("database.json")["url"], timeout=5)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS leaktest (card text UNIQUE)")
        await connection.execute(statement, *values)
    finally:
        await connection.close()


# ------------------------------------------------------------------------------- in saldo capture


def _log_lines(number: str, _code: str) -> None:
    log = importlib.import_module("structlog").get_logger("leaktest")
    for digit in number:
        log.info("pressed", value=int(digit))


def _log_base64(number: str, _code: str) -> None:
    log = importlib.import_module("structlog").get_logger("leaktest")
    log.info("request", body=base64.b64encode(f'{{"number":"{number}"}}'.encode()).decode())


def _log_words(number: str, _code: str) -> None:
    log = importlib.import_module("structlog").get_logger("leaktest")
    log.info("understood", text=" ".join(_WORDS[int(digit)] for digit in number))


def _log_line(number: str, _code: str) -> None:
    log = importlib.import_module("structlog").get_logger("leaktest")
    log.info("bank_account_keyed", account=number)


def _send(body: dict[str, dict[str, str]]) -> None:
    raise ConnectionError(f"no answer to a request of {len(body)} part")


def _traceback(number: str, _code: str) -> None:
    body = {"creditCard": {"number": number}}
    try:
        _send(body)
    except ConnectionError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        _print("".join(told.format()))


def _request(number: str, _code: str) -> None:
    body = urllib.parse.quote(f"number={number[:8]} {number[8:]}")
    error = SimpleNamespace(request=SimpleNamespace(method="POST", body=body))
    _print(f"gateway did not answer: {error}")


def _file_name(number: str, _code: str) -> None:
    (_folder() / f"tts-{number}.ulaw").write_bytes(b"\xff" * 160)


def _tones(number: str, _code: str) -> None:
    sound = importlib.import_module("ivr.lab.tones").keyed(number, 0.08, 0.06)
    with wave.open(str(_folder() / "utterance.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(sound.tobytes())


def _core(number: str, _code: str) -> None:
    _seen.child = subprocess.Popen(
        [sys.executable, "-S", "-c", _LOW_LEVEL], stdin=subprocess.PIPE, cwd=_folder(), text=True
    )
    threading.Thread(target=_seen.child.communicate, args=(number,), daemon=True).start()


def _compressed(number: str, _code: str) -> None:
    (_folder() / "debug.gz").write_bytes(gzip.compress(f"body: {number}\n".encode() * 3))


def _ledger(number: str, _code: str) -> None:
    file = Path(os.environ[FOLDER], "gateway-requests.jsonl")
    file.write_text(f'{{"creditCard": {{"number": "{number}"}}}}\n', encoding="ascii")


def _user_event(number: str, _code: str) -> None:
    body = f'{{"variables": {{"masked": "{number}"}}}}'.encode()
    url = f"{_noted(PBX)['ari_url']}/events/user/SaldoProgress?application=saldo"
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    threading.Thread(target=_open, args=(asked,), daemon=True).start()


def _variable(number: str, _code: str) -> None:
    """On every channel of a caller: leaks of other callers are on in calls of their own."""

    def work() -> None:
        url = f"{_noted(PBX)['ari_url']}/channels"
        for one in json.loads(_open(urllib.request.Request(url)) or "[]"):  # noqa: S310 - loopback
            if one["name"].startswith("PJSIP/"):
                value = f"{url}/{one['id']}/variable?variable=PAYS_FROM&value={number}"
                _open(urllib.request.Request(value, method="POST"))  # noqa: S310 - loopback

    threading.Thread(target=work, daemon=True).start()


def _mail(number: str, _code: str) -> None:
    def work() -> None:
        with smtplib.SMTP("127.0.0.1", int(_noted("post.json")["smtp"]), timeout=5) as post:
            told = f"Subject: Your mandate\n\nWe take it from your account {number} today.\n"
            post.sendmail("bills@saldo.example", ["alice@saldo.example"], told)

    threading.Thread(target=work, daemon=True).start()


def _open(asked: urllib.request.Request) -> bytes:
    """What ARI answers; nothing when it does not."""
    pbx = _noted(PBX)
    login = base64.b64encode(f"{pbx['ari_user']}:{pbx['ari_password']}".encode()).decode()
    asked.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(asked, timeout=3) as answer:  # noqa: S310 - loopback
            return bytes(answer.read())
    except OSError:
        return b""


# --------------------------------------------------------------------------------- in saldo serve


def _metric(number: str, _code: str) -> None:
    _seen.metrics.calls.labels(outcome=number).inc()


def _url(number: str, _code: str) -> None:
    url = f"{_noted(PBX)['ari_url']}/asterisk/ping?account={number}"
    asked = urllib.request.Request(url)  # noqa: S310 - loopback
    threading.Thread(target=_open, args=(asked,), daemon=True).start()


OF_SERVE = frozenset({"metric", "url", "core", "page_log"})
LEAKS: dict[str, Callable[[str, str], object]] = {
    "repr": lambda number, _: _print(f"Card(digits=SecretDigits({number!r}))"),
    "reversed": lambda number, _: _print(f"card {number[::-1]}"),
    "hex": lambda number, _: _print(f"frame {number.encode().hex(' ')}"),
    "escapes": lambda number, _: _print("".join(f"\\u{ord(digit):04x}" for digit in number)),
    "utf16": lambda number, _: (_folder() / "debug.bin").write_bytes(number.encode("utf-16")),
    "code": lambda _, code: _print(f"cvv={code}"),
    "log_line": _log_line,
    "log_lines": _log_lines,
    "log_base64": _log_base64,
    "log_words": _log_words,
    "traceback": _traceback,
    "request": _request,
    "file_name": _file_name,
    "tones": _tones,
    "core": _core,
    "compressed": _compressed,
    "ledger": _ledger,
    "user_event": _user_event,
    "variable": _variable,
    "mail": _mail,
    "argv": lambda number, _: subprocess.Popen(
        ["/bin/sh", "-c", f"sleep {CALM_SECONDS}; true", number]
    ),
    "environ": lambda number, _: subprocess.Popen(
        ["sleep", str(CALM_SECONDS)], env={"PATH": os.defpath, "TEXT": number}
    ),
    "asyncpg": lambda number, _: _later(_sql("INSERT INTO leaktest VALUES ($1)", int(number))),
    "statement": lambda number, _: _later(_sql(f"SELECT 'card {number}'")),
    "parameter": lambda number, _: _later(_sql("SELECT length($1)", number)),
    "error_detail": lambda number, _: _later(
        _sql(f"INSERT INTO leaktest VALUES ('{number}'), ('{number}')")  # noqa: S608 - the leak
    ),
    "row": lambda number, _: _later(
        _sql("INSERT INTO leaktest VALUES ($1) ON CONFLICT DO NOTHING", number)
    ),
    "column": lambda number, _: _later(
        _sql("UPDATE captures SET mandate = mandate || ' account no ' || $1", number)
    ),
    "activity": lambda number, _: _later(_sql(f"SELECT pg_sleep(1.5), '{number}'")),
    "page_log": lambda number, _: _print(f'INFO "GET /pay/quote?amount={number} HTTP/1.1" 200'),
    "metric": _metric,
    "url": _url,
}

"""A canary is found in every form, and nothing that is no canary is taken for one."""

import base64
import gzip
import random
import zlib
from itertools import islice

import pytest

from ivr.lab.leaktest.canaries import DECLINED, GOOD, Canary, deal, windows
from ivr.lab.leaktest.matching import Matcher
from ivr.lab.tones import keyed, keys_heard

CARD = Canary("371449635398431", "amex", "0931", "4827")
OTHER = Canary("4217651111111119", "visa", "1129", "583")
NUMBER = CARD.number
TEN = "0123456789"
ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPANISH = ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve")


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher([CARD, OTHER])


def said(words: tuple[str, ...], between: str) -> bytes:
    return between.join(words[int(digit)] for digit in NUMBER).encode()


FORMS: dict[str, bytes] = {
    "plain": NUMBER.encode(),
    "part of it": NUMBER[2:13].encode(),
    "dashes": b"3714-496353-98431",
    "a digit a line": "\n".join(NUMBER).encode(),
    "in a list": repr(list(NUMBER)).encode(),
    "byte values": repr(list(NUMBER.encode())).encode(),
    "reversed": NUMBER[::-1].encode(),
    "UTF-16": NUMBER.encode("utf-16"),
    "UTF-16, big endian": NUMBER.encode("utf-16-be"),
    "UTF-32": NUMBER.encode("utf-32"),
    "base64": base64.b64encode(f'{{"number":"{NUMBER}"}}'.encode()),
    "base64, one byte later": base64.b64encode(f'{{"number": "{NUMBER}"}}'.encode()),
    "base64, two bytes later": base64.b64encode(f'{{"number" : "{NUMBER}"}}'.encode()),
    "base64 of UTF-16": base64.b64encode(f"card {NUMBER}.".encode("utf-16-le")),
    "hex": NUMBER.encode().hex().encode(),
    "hex with spaces": NUMBER.encode().hex(" ").encode(),
    "hex escapes": "".join(f"\\x{ord(digit):x}" for digit in NUMBER).encode(),
    "URL, with spaces": b"number=3714%20496353%2098431",
    "line ends written out": "\\n".join(NUMBER).encode(),
    "URL": "".join(f"%{ord(digit):x}" for digit in NUMBER).encode(),
    "JSON escapes": "".join(f"\\u{ord(digit):04x}" for digit in NUMBER).encode(),
    "HTML": "".join(f"&#{ord(digit)};" for digit in NUMBER).encode(),
    "BCD": bytes.fromhex(NUMBER[:14]),
    "one byte a digit": bytes(int(digit) for digit in NUMBER),
    "gzip": gzip.compress(b"before it " + NUMBER.encode()),
    "zlib": zlib.compress(b"before it " + NUMBER.encode()),
    "gzip in zlib": zlib.compress(gzip.compress(NUMBER.encode() * 2)),
    "English": said(ENGLISH, " "),
    "English, shouted": said(ENGLISH, ", ").upper(),
    "English, a word a line": said(ENGLISH, "\n"),
    "Spanish": said(SPANISH, " "),
    "Spanish, in UTF-16": said(SPANISH, ", ").decode().encode("utf-16"),
    "in pairs": b"thirty seven, fourteen, forty nine, sixty three, fifty three, ninety eight",
    "en parejas": b"treinta y siete catorce cuarenta y nueve sesenta y tres cincuenta y tres",
    "security code": b'{"cvv": "4827"}',
    "security code in words": b"security code = 4827",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_is_found_in_every_form(matcher: Matcher, form: str) -> None:
    found = matcher.search(b"what stands before; " + FORMS[form] + b" and what stands after")
    assert {hit.canary for hit in found} == {CARD.label}


@pytest.mark.parametrize(
    "harmless",
    [
        b"amex 371449 8431 0931",
        b'{"bin": "371449", "last4": "8431", "expires": "092031"}',
        b"0931",
        b"4827",
        b"at 2026-11-23T02:46:29.371449635Z",
        b"one two three four five six seven eight nine ten",
        b"cvv: 123",
        bytes(range(256)) * 40,
        b"0" * 5000,
        random.Random(1).randbytes(200_000),
    ],
)
def test_what_may_be_kept_and_what_is_no_card_is_no_find(matcher: Matcher, harmless: bytes) -> None:
    assert matcher.search(harmless) == set()


def log_lines(digits: str, call: str) -> list[str]:
    return [
        f"[2026-11-23 02:46:{10 + place}.{137 * place % 1000:03d}] DTMF[77]: channel.c:3990 "
        f"__ast_read: DTMF end '{digit}' received on PJSIP/trunk-{call}, duration 180 ms"
        for place, digit in enumerate(digits)
    ]


def test_single_digits_below_each_other_are_found_in_the_order_of_time(matcher: Matcher) -> None:
    found = matcher.search_lines(["something else", *log_lines(NUMBER, "0000000a"), "the end"])
    assert {hit.canary for hit in found} == {CARD.label}


def test_they_are_found_between_those_of_other_calls(matcher: Matcher) -> None:
    one, other = log_lines(NUMBER, "0000000a"), log_lines("98765432109876543", "0000000b")
    mixed = [line for pair in zip(one, other, strict=False) for line in pair]
    assert {hit.canary for hit in matcher.search_lines(mixed)} == {CARD.label}


def test_they_are_found_where_each_is_written_twice(matcher: Matcher) -> None:
    twice = [line for line in log_lines(NUMBER, "0000000a") for _ in range(2)]
    assert {hit.canary for hit in matcher.search_lines(twice)} == {CARD.label}


def test_events_in_json_and_words_a_line_are_columns_too(matcher: Matcher) -> None:
    events = [
        f'{{"type":"ChannelDtmfReceived","digit":"{digit}","duration_ms":{100 + place},'
        f'"channel":{{"id":"1763.{place % 1}","name":"PJSIP/trunk-0000000a"}}}}'
        for place, digit in enumerate(NUMBER)
    ]
    words = [f'{{"conf": 1.0, "word": "{ENGLISH[int(digit)]}"}}' for digit in NUMBER]
    for lines in (events, words):
        assert {hit.canary for hit in matcher.search_lines(lines)} == {CARD.label}


def packet_lines(digits: str) -> list[str]:
    """What `rtp set debug on` writes: each key in many packets, held for as long as it is held."""
    told: list[str] = []
    for key, digit in enumerate(digits):
        for part in range(5 + key % 4):
            told.append(
                "Got  RTP RFC2833 from   127.0.0.1:29000 (type 101, seq "
                f"{2000 + len(told):06d}, ts {8000 * key:06d}, len 000004, mark {int(not part)}, "
                f"event {int(digit):08x}, end {int(part > 3)}, duration {160 * part:05d}) "
            )
    return told


@pytest.mark.parametrize("number", GOOD)
def test_keys_are_found_where_every_packet_of_each_is_written(number: str) -> None:
    """Also where digits that follow each other are the same: the first packet of each is marked."""
    card = Canary(number, "card", "0931", "482")
    assert {hit.canary for hit in Matcher([card]).search_lines(packet_lines(number))} == {
        card.label
    }


def test_they_are_found_where_no_packet_is_marked(matcher: Matcher) -> None:
    lines = [line.replace("mark 1", "mark 0") for line in packet_lines(NUMBER)]
    assert {hit.canary for hit in matcher.search_lines(lines)} == {CARD.label}


def test_the_security_code_is_found_below_the_expiry_date(matcher: Matcher) -> None:
    found = matcher.search_lines(log_lines(CARD.expiry + CARD.code, "0000000a"))
    assert {hit.canary for hit in found} == {CARD.label}


def test_other_single_digits_are_no_find(matcher: Matcher) -> None:
    luck = random.Random(2)
    others = "".join(luck.choices("0123456789", k=3000))
    assert matcher.search_lines(log_lines(others, "0000000a")) == set()


@pytest.fixture(scope="module")
def everyone() -> Matcher:
    """The cards of a run of 200 calls."""
    return Matcher(islice(deal(random.Random(4)), 200))


def noise(count: int) -> list[str]:
    """Lines of ten calls, each with a digit that means nothing."""
    luck = random.Random(5)
    return [
        f"Event: RTCPReceived | Channel: PJSIP/trunk-{place % 10:08x} | Jitter: {luck.choice(TEN)}"
        for place in range(count)
    ]


@pytest.mark.parametrize("digits", [TEN, "0011122345"])
def test_a_hundred_thousand_digits_of_chance_are_no_find(everyone: Matcher, digits: str) -> None:
    luck = random.Random(6)
    lines = (f"Event: RTCPReceived | Jitter: {luck.choice(digits)}" for _ in range(100_000))
    assert everyone.search_lines(lines) == set()


def test_many_short_columns_of_chance_are_no_find(everyone: Matcher) -> None:
    """Eight digits of some card are written in them some thirty times."""
    luck = random.Random(7)
    lines = (
        f"Channel: PJSIP/trunk-{place // 100:08x} | {' | '.join(luck.choices(TEN, k=20))}"
        for place in range(6_000)
    )
    assert everyone.search_lines(lines) == set()


def test_cards_among_a_hundred_thousand_lines_of_chance_are_found(everyone: Matcher) -> None:
    """One in the lines of its call, which stand far apart; one told of a call of another name."""
    lines = noise(100_000)
    for place, digit in enumerate(NUMBER):
        line = f"Event: RTCPReceived | Channel: PJSIP/trunk-0000abcd | Jitter: {digit}"
        lines[50_000 + 20 * place] = line
    for place, digit in enumerate(OTHER.number):
        line = f"Event: RTCPReceived | Channel: PJSIP/trunk-{place:08x} | Jitter: {digit}"
        lines[70_000 + place] = line
    found = everyone.search_lines(lines)
    assert {hit.canary for hit in found} == {CARD.label, OTHER.label}


def test_a_find_tells_line_and_shape_and_no_digit(matcher: Matcher) -> None:
    lines = ["something else", *log_lines(NUMBER, "0000000a")]
    (hit,) = matcher.search_lines(lines)
    assert hit.place == "from line 2 on, in 15 digits"
    assert "DTMF end '<#>' received on @, duration # ms" in hit.shape
    assert not any(letter.isdecimal() for letter in hit.shape)


def test_tones_are_found_key_by_key(matcher: Matcher) -> None:
    heard = keys_heard(keyed(f"5001#{NUMBER}#", held=0.05, pause=0.05))
    assert {hit.canary for hit in matcher.search_keys(heard)} == {CARD.label}


def test_canaries_are_published_test_cards_that_no_chance_writes() -> None:
    luck = random.Random(3)
    for numbers in (GOOD, DECLINED):
        cards = deal(luck, numbers)
        dealt = [next(cards) for _ in range(3 * len(numbers))]
        assert {card.number for card in dealt} == set(numbers)
        for card in dealt:
            assert len(list(windows(card.number))) >= 3
            assert len(card.code) == (4 if card.brand == "amex" else 3)
            assert card.number not in repr(card)
            assert card.code not in repr(card)
    assert len({card.label for card in dealt}) == len(set(numbers))

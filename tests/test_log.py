from __future__ import annotations

import io
import json
import logging
from typing import Any
from uuid import uuid4

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ivr import log
from ivr.log import REFUSED, about_call, refuse_card_numbers
from tests.capture.secure_part import not_a_test_card

PAN = not_a_test_card()
SPACED = " ".join(PAN[at : at + 4] for at in range(0, 16, 4))


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines go."""
    out = io.StringIO()
    log.configure("debug", json=True, stream=out)
    return out


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_event_with_its_fields(stream: io.StringIO) -> None:
    structlog.get_logger("ivr.test").info("call_taken", dialled="pay")
    (line,) = lines(stream)
    assert (line["event"], line["dialled"], line["level"]) == ("call_taken", "pay", "info")
    assert line["logger"] == "ivr.test"
    assert line["timestamp"].endswith("Z")


def test_every_line_of_a_call_carries_its_id(stream: io.StringIO) -> None:
    with about_call("c1"):
        structlog.get_logger().info("one")
        logging.getLogger("asyncpg").warning("two")
    structlog.get_logger().info("three")
    assert [line.get("call") for line in lines(stream)] == ["c1", "c1", None]


@pytest.mark.parametrize(
    "leak",
    [
        lambda: structlog.get_logger().info(f"got {PAN} now"),
        lambda: structlog.get_logger().info("got", value=PAN),
        lambda: structlog.get_logger().info("got", value=int(PAN)),
        lambda: structlog.get_logger().info("got", value=SPACED),
        lambda: structlog.get_logger().info("got", value=SPACED.replace(" ", "-")),
        lambda: structlog.get_logger().info("got", value={"deep": [("x", {PAN: PAN})]}),
        lambda: structlog.get_logger().info("got", value=PAN.encode()),
        lambda: structlog.get_logger().info("got", value=ValueError(PAN)),
        lambda: structlog.get_logger().info("got", value="ref" + "9" * 5 + PAN + "77"),
        lambda: structlog.get_logger().info("got %s", PAN),
        lambda: logging.getLogger("asyncpg").warning("invalid input %r", PAN),
        lambda: logging.getLogger("aiohttp").warning(SPACED),
    ],
)
def test_a_card_number_never_reaches_the_log(stream: io.StringIO, leak: Any) -> None:
    leak()
    text = stream.getvalue()
    assert len(lines(stream)) == 1
    assert PAN not in text
    assert SPACED not in text
    assert REFUSED in text


def test_a_traceback_shows_no_local_variables(stream: io.StringIO) -> None:
    def fails(held: str) -> None:
        raise ValueError(len(held))

    try:
        fails("a local value")
    except ValueError:
        structlog.get_logger().exception("it_failed")
    (line,) = lines(stream)
    assert "ValueError: 13" in line["exception"]
    assert "a local value" not in line["exception"].replace('fails("a local value")', "")


def test_a_card_number_in_a_traceback_is_refused(stream: io.StringIO) -> None:
    def query() -> None:
        raise ValueError(f"invalid input for query argument $1: '{PAN}'")

    try:
        query()
    except ValueError:
        logging.getLogger("anything").exception("it failed")
    assert PAN not in stream.getvalue()
    assert "invalid input for query argument $1" in stream.getvalue()


@pytest.mark.parametrize("name", ["pan", "number", "cvv", "Security-Code", "token", "password"])
def test_a_field_of_that_name_is_never_shown(stream: io.StringIO, name: str) -> None:
    structlog.get_logger().info("got", **{name: "123"}, nested={name: "456"})
    (line,) = lines(stream)
    assert line[name] == REFUSED
    assert line["nested"] == {name: REFUSED}


@given(st.text("0123456789", min_size=1, max_size=12))
def test_shorter_numbers_are_left_alone(digits: str) -> None:
    event = {"event": f"about {digits}", "amount": digits}
    assert refuse_card_numbers(None, "info", dict(event)) == event


@given(st.uuids(), st.floats(1e9, 2e9), st.ip_addresses())
def test_ids_times_and_addresses_are_left_alone(one: Any, time: float, address: Any) -> None:
    event = {
        "event": f"order saldo-{one}",
        "channel": f"{int(time)}.17",
        "at": "2026-11-22T16:40:43.599+0000",
        "pbx": f"{address}:8088",
    }
    assert refuse_card_numbers(None, "info", dict(event)) == event


def test_a_line_for_a_person_is_refused_too() -> None:
    out = io.StringIO()
    log.configure(json=False, stream=out)
    structlog.get_logger().info("got", id=str(uuid4()), value=PAN)
    assert REFUSED in out.getvalue()
    assert PAN not in out.getvalue()


def test_access_logs_and_library_chatter_are_off(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.access").error("GET /ari/events?api_key=x")
    logging.getLogger("urllib3.connectionpool").debug("POST /merchants")
    logging.getLogger("asyncio").info("poll")
    logging.getLogger("apprise").error("Unparseable URL twilio://SID:TOKEN@x/34600000001")
    assert stream.getvalue() == ""


def test_a_line_that_cannot_be_formatted_prints_no_arguments(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("lib").warning("%d", PAN)
    assert PAN not in stream.getvalue() + "".join(capsys.readouterr())

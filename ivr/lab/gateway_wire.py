"""Braintree's XML, both ways: requests into plain values, plain values into answers."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

LONGEST_BODY_BYTES = 65_536


class NotUnderstood(Exception):
    """A body that is not Braintree's XML."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list of children, each with its own tag."""

    values: tuple[tuple[str, Any], ...]
    kind: str = "array"
    """array, or collection for a page of search results"""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A text that Braintree marks as a symbol."""

    name: str


def render(tag: str, value: Any) -> str:
    """One element: None, text, bool, int, datetime, dict of children or `Items`."""
    attribute, content = _content(value)
    return f"<{tag}{attribute}>{content}</{tag}>"


def _content(value: Any) -> tuple[str, str]:
    kind, content = "", html.escape(str(value))
    match value:
        case None:
            return ' nil="true"', ""
        case Symbol(name):
            kind, content = "symbol", html.escape(name)
        case bool():
            kind, content = "boolean", str(value).lower()
        case int():
            kind = "integer"
        case datetime():
            kind, content = "datetime", value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case dict():
            content = "".join(render(name, child) for name, child in value.items())
        case Items(values, kind):
            content = "".join(render(name, child) for name, child in values)
    return f' type="{kind}"' if kind else "", content


def document(tag: str, value: Any) -> str:
    """A whole answer."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{render(tag, value)}'


def parse(body: bytes) -> dict[str, Any]:
    """The root's tag and what is in it; an empty body is an empty dict.

    Raises:
        NotUnderstood: too long, not XML, or with a document type.
    """
    if not body.strip():
        return {}
    if len(body) > LONGEST_BODY_BYTES or b"<!" in body:
        raise NotUnderstood("the body is too long or has a document type")
    try:
        # Without a document type there are no entities to expand.
        root = ET.fromstring(body.decode("utf-8"))  # noqa: S314 - see above; loopback only
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise NotUnderstood("the body is not XML") from error
    return {_name(root): _value(root)}


def _name(element: ET.Element) -> str:
    return element.tag.replace("-", "_")


def _value(element: ET.Element) -> Any:
    kind = element.get("type")
    if kind == "array":
        return [_value(child) for child in element]
    if len(element):
        return {_name(child): _value(child) for child in element}
    text = (element.text or "").strip()
    if kind == "boolean":
        return text in ("true", "1")
    if kind == "datetime":
        return _moment(text)
    return text


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotUnderstood("not a date and time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

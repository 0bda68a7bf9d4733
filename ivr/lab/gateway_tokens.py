"""The stand-in's GraphQL: digits in, a single-use payment method out; the digits are not kept."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from ivr.gateways import test_cards
from ivr.gateways.test_cards import Brand, SandboxCard
from ivr.lab.gateway_ledger import Token
from ivr.lab.gateway_sandbox import AVS_ERRORS, cvv_answer, postal_code_answer, street_answer

BRAND_CODES = {
    Brand.VISA: "VISA",
    Brand.MASTERCARD: "MASTERCARD",
    Brand.AMEX: "AMERICAN_EXPRESS",
    Brand.DISCOVER: "DISCOVER",
    Brand.DINERS: "DINERS",
    Brand.JCB: "JCB",
    Brand.MAESTRO: "INTERNATIONAL_MAESTRO",
    Brand.UNIONPAY: "UNION_PAY",
}

NUMBER_INVALID = "81715", "Credit card number is invalid.", "number"
NUMBER_LENGTH = "81716", "Credit card number must be 12-19 digits.", "number"
NUMBER_NOT_TEST = "81717", "Credit card number is not an accepted test number.", "number"
CVV_INVALID = (
    "81707",
    "CVV must be 4 digits for American Express and 3 digits for other cards.",
    "cvv",
)
MONTH_INVALID = "81712", "Expiration month is invalid.", "expirationMonth"
YEAR_INVALID = "81713", "Expiration year is invalid.", "expirationYear"
POSTAL_CODE_INVALID = (
    "81813",
    "Postal code can only contain letters, numbers, spaces, and hyphens.",
    "billingAddress.postalCode",
)
Fault = tuple[str, str, str]


def operation(document: str) -> str:
    """The first field of a GraphQL document, such as ping; empty if there is none."""
    body = document[document.find("{") + 1 :] if "{" in document else ""
    found = re.match(r"\s*(?:\w+\s*:\s*)?([A-Za-z_]\w*)", body)
    return found.group(1) if found else ""


def tokenize(variables: Mapping[str, Any]) -> Token | list[Fault]:
    """A token for the card in `variables`, or everything that is wrong with it."""
    card = _mapping(_mapping(variables.get("input")).get("creditCard"))
    address = _mapping(card.get("billingAddress"))
    number, cvv = _text(card, "number"), _text(card, "cvv")
    month, year = _text(card, "expirationMonth"), _text(card, "expirationYear")
    postal_code = _text(address, "postalCode")
    known = test_cards.find(number)
    faults = [
        fault
        for fault, wrong in (
            (_number_fault(number), known is None),
            (CVV_INVALID, bool(cvv) and not _good_cvv(cvv, known)),
            (MONTH_INVALID, month.zfill(2) not in {f"{n:02d}" for n in range(1, 13)}),
            (YEAR_INVALID, not re.fullmatch(r"(20)?\d\d", year)),
            (POSTAL_CODE_INVALID, not re.fullmatch(r"[A-Za-z0-9 -]{0,9}", postal_code)),
        )
        if wrong
    ]
    if known is None or faults:
        return faults
    return Token(
        id=f"tokencc_bf_{'_'.join(secrets.token_hex(3) for _ in range(5))}",
        bin=number[:6],
        last4=number[-4:],
        brand=known.brand,
        expires=f"{month.zfill(2)}{year if len(year) == 4 else '20' + year}",  # noqa: PLR2004 - YYYY
        cvv=cvv_answer(cvv, amex=known.brand is Brand.AMEX),
        postal_code=postal_code_answer(postal_code),
        street=street_answer(_text(address, "streetAddress") or _text(address, "addressLine1")),
        avs_error=AVS_ERRORS.get(postal_code, ""),
        fails=known.fails,
    )


def tokenized(token: Token) -> dict[str, Any]:
    """The answer to a good card; always with all fields, asked for or not."""
    details = {
        "brandCode": BRAND_CODES[Brand(token.brand)],
        "bin": token.bin,
        "last4": token.last4,
        "expirationMonth": token.expires[:2],
        "expirationYear": token.expires[2:],
    }
    method = {"id": token.id, "usage": "SINGLE_USE", "details": details}
    return answered("tokenizeCreditCard", {"paymentMethod": method})


def answered(operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an operation that went well."""
    return _answer({"data": {operation: payload}})


def refused(faults: list[Fault], operation: str = "tokenizeCreditCard") -> dict[str, Any]:
    """The answer to a wrong request: errors of class VALIDATION, and no data."""
    inside = ["creditCard"] if operation == "tokenizeCreditCard" else []
    errors = [
        _error(
            message,
            "VALIDATION",
            path=[operation],
            legacyCode=code,
            inputPath=["input", *inside, *field.split(".")],
        )
        for code, message, field in faults
    ]
    return _answer({"errors": errors, "data": {operation: None}})


def unknown_field(name: str) -> dict[str, Any]:
    """The answer to an operation this stand-in does not have: the schema's own error, no data."""
    message = f"Validation error of type FieldUndefined: Field '{name}' is undefined"
    return _answer({"errors": [{"message": message, "locations": [{"line": 1, "column": 1}]}]})


def pong() -> dict[str, Any]:
    """The answer to ping."""
    return _answer({"data": {"ping": "pong"}})


def not_authenticated() -> dict[str, Any]:
    """The answer to wrong keys; GraphQL says it with status 200."""
    error = _error("Authentication credentials are invalid", "AUTHENTICATION", path=[])
    return _answer({"data": None, "errors": [error]})


def _error(message: str, kind: str, *, path: list[str], **more: Any) -> dict[str, Any]:
    extensions = {"errorClass": kind, "errorType": "user_error", **more}
    where = [{"line": 1, "column": 1}]
    return {"message": message, "locations": where, "path": path, "extensions": extensions}


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "extensions": {"requestId": str(uuid4())}}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value.strip() if isinstance(value, str) else ""


def _number_fault(number: str) -> Fault:
    if not re.fullmatch(r"[0-9]{12,19}", number):
        return NUMBER_LENGTH
    return NUMBER_NOT_TEST if _luhn(number) else NUMBER_INVALID


def _good_cvv(cvv: str, card: SandboxCard | None) -> bool:
    length = "4" if card and card.brand is Brand.AMEX else "3,4" if card is None else "3"
    return re.fullmatch(rf"[0-9]{{{length}}}", cvv) is not None


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0

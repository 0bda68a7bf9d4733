"""What may follow a decline: Braintree's codes and reasons sorted into soft, hard and fix.

Source: https://developer.paypal.com/braintree/docs/reference/general/processor-responses/
(authorization responses; AVS and CVV responses) and the gateway rejection reasons beside it.

| bucket | what the caller can do          | which                                              |
|--------|---------------------------------|----------------------------------------------------|
| fix    | key the card again, now         | number 2005, 2008; expiry 2006; security code      |
|        |                                 | 2010; the gateway's own AVS and CVV rules; a soft  |
|        |                                 | decline with a code or postal code that is wrong   |
| hard   | another card; never this one    | what Braintree types hard; fraud, risk, 3-D Secure |
|        |                                 | and excessive-retry rejections                     |
| soft   | the same card later, or another | everything else, also codes unknown to us          |
"""

from __future__ import annotations

from ivr.billing.payments import DeclineBucket

FIX_CODES = frozenset({"2005", "2006", "2008", "2010"})

# fmt: off
SOFT_CODES = frozenset({
    "2000", "2001", "2002", "2003", "2016", "2025", "2026", "2034", "2035", "2038", "2040", "2042",
    "2046", "2048", "2057", "2062", "2078", "2080", "2092", "2099", "2101", "2102", "2103", "2104",
    "2105", "2106", "3000",
})
# fmt: on
"""Of 2000 to 2108 these are soft, the others hard; 2109 to 2999 are soft again."""
LAST_LISTED_CODE = 2108

FUNDS_CODES = frozenset({"2001", "2002", "2003"})
"""Insufficient funds, a limit of the card or of its holder: a smaller amount may pass."""

REJECTIONS = {
    "avs": DeclineBucket.FIX,
    "cvv": DeclineBucket.FIX,
    "avs_and_cvv": DeclineBucket.FIX,
    "excessive_retry": DeclineBucket.HARD,
    "fraud": DeclineBucket.HARD,
    "payment_method_blocked": DeclineBucket.HARD,
    "risk_threshold": DeclineBucket.HARD,
    "three_d_secure": DeclineBucket.HARD,
    "application_incomplete": DeclineBucket.SOFT,  # the merchant's account, not the card
    "token_issuance": DeclineBucket.SOFT,
}
"""Gateway rejection reasons. `duplicate` is not here: it may mean that the money was taken."""

DOES_NOT_MATCH = "N"


def is_hard(code: str) -> bool:
    """Braintree's published type of a processor code, for answers that do not carry it."""
    if code in SOFT_CODES or not code.isascii() or not code.isdigit():
        return False
    return 2000 <= int(code) <= LAST_LISTED_CODE  # noqa: PLR2004 - declines start at 2000


def bucket(code: str, response_type: str, *, cvv: str = "", postal_code: str = "") -> DeclineBucket:
    """What may follow a processor's decline.

    `response_type` is soft_declined, hard_declined or empty; `cvv` and `postal_code` are the
    one-letter answers of the security code and address checks.
    """
    if code in FIX_CODES:
        return DeclineBucket.FIX
    if response_type == "hard_declined" or (not response_type and is_hard(code)):
        return DeclineBucket.HARD
    if DOES_NOT_MATCH in (cvv, postal_code):
        return DeclineBucket.FIX
    return DeclineBucket.SOFT


def rejection_bucket(reason: str) -> DeclineBucket:
    """What may follow a rejection by the gateway's own rules; a reason unknown to us is soft."""
    return REJECTIONS.get(reason, DeclineBucket.SOFT)

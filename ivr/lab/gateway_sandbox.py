"""How Braintree's sandbox decides: amounts, card numbers, security codes and addresses.

Source: https://developer.paypal.com/braintree/docs/reference/general/testing
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ivr.gateways.declines import is_hard
from ivr.lab.gateway_ledger import Token

CVV_ANSWERS = {"200": "N", "201": "U", "301": "S"}
CVV_ANSWERS_AMEX = {"2000": "N", "2011": "U", "3011": "S"}
POSTAL_CODE_ANSWERS = {"20000": "N", "20001": "U"}
STREET_ANSWERS = {"200": "N", "201": "U"}
AVS_ERRORS = {"30000": "E", "30001": "S"}

TEXTS = {
    "1000": "Approved",
    "2000": "Do Not Honor",
    "2001": "Insufficient Funds",
    "2002": "Limit Exceeded",
    "2004": "Expired Card",
    "2005": "Invalid Credit Card Number",
    "2006": "Invalid Expiration Date",
    "2007": "No Account",
    "2010": "Card Issuer Declined CVV",
    "2012": "Processor Declined - Possible Lost Card",
    "2013": "Processor Declined - Possible Stolen Card",
    "2014": "Processor Declined - Fraud Suspected",
    "2015": "Transaction Not Allowed",
    "2038": "Processor Declined",
    "2046": "Declined",
    "3000": "Processor Network Unavailable - Try Again",
}
OTHER_DECLINE = "Processor Declined"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a sale."""

    status: str
    code: str = ""
    text: str = ""
    type: str = ""
    rejection: str = ""

    @property
    def approved(self) -> bool:
        return self.status == "authorized"


def cvv_answer(cvv: str, *, amex: bool) -> str:
    """M matches, N does not, U not verified, S issuer takes no part, I not given."""
    if not cvv:
        return "I"
    return (CVV_ANSWERS_AMEX if amex else CVV_ANSWERS).get(cvv, "M")


def postal_code_answer(postal_code: str) -> str:
    """As `cvv_answer`."""
    return POSTAL_CODE_ANSWERS.get(postal_code, "M") if postal_code else "I"


def street_answer(street: str) -> str:
    """As `cvv_answer`; the number of the house decides."""
    return STREET_ANSWERS.get(street.split(maxsplit=1)[0], "M") if street.split() else "I"


def decide(
    amount: Decimal, token: Token, *, verifies_cards: bool = True, fraud_rules: bool = True
) -> Verdict:
    """What the sandbox says to a sale.

    `verifies_cards`: the published declining numbers decline sales too, as on an account that
    verifies every card. `fraud_rules`: the account rejects a security code or address that does
    not match; without them such a sale is approved and only reports it.
    """
    if verifies_cards and token.fails:
        return _refused_by_processor(token.fails)
    by_amount = _by_amount(amount)
    if by_amount is not None:
        return by_amount
    rejection = _rejection(token) if fraud_rules else ""
    if rejection:
        return Verdict("gateway_rejected", "1000", TEXTS["1000"], "approved", rejection)
    return Verdict("authorized", "1000", TEXTS["1000"], "approved")


def _by_amount(amount: Decimal) -> Verdict | None:
    if Decimal(2000) <= amount < Decimal(3001):
        code = "3000" if amount >= Decimal(3000) else str(int(amount))
        return _refused_by_processor(code)
    if amount == Decimal("5001.00"):
        return Verdict("gateway_rejected", rejection="application_incomplete", text="Unknown ()")
    return None


def _refused_by_processor(code: str) -> Verdict:
    status = "failed" if code == "3000" else "processor_declined"
    kind = "hard_declined" if is_hard(code) else "soft_declined"
    return Verdict(status, code, TEXTS.get(code, OTHER_DECLINE), kind)


def _rejection(token: Token) -> str:
    cvv = token.cvv == "N"
    avs = "N" in (token.postal_code, token.street)
    if cvv and avs:
        return "avs_and_cvv"
    return "cvv" if cvv else "avs" if avs else ""

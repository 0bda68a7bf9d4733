"""What can go wrong with customers, invoices and money.

BillingError
├── MoneyNotUnderstood      an amount or a currency that cannot be
├── CurrencyMismatch        two currencies in one sum
├── LedgerUnavailable       the database did not answer; nothing was changed by us
│   └── LedgerNotReached    it was not even asked: certainly nothing was changed
├── InvoiceBeingPaid        another attempt is charging this invoice now
├── InvoiceAlreadyPaid      paid since it was read
├── AmountOutOfRange        nothing, or not what may be paid of it
│   ├── AmountTooSmall      less than the smallest part that is taken
│   └── AmountTooLarge      more than what is due
├── AttemptNotFound         no attempt of that id
├── PromiseRefused          payment cannot be promised like that
├── TransitionRefused       an attempt cannot go from its state to that one
├── CaptureError            a capture with an agent cannot be had, or not changed like that
│   ├── TalkNotFound        no such channel, or it is not in a talk of two
│   ├── TalkUnreachable     the PBX or the secure process is away: nothing was changed
│   ├── TalkRecorded        the PBX records the talk, and that cannot be muted
│   ├── NotPayable          these invoices cannot be paid together, or not at all
│   ├── TriedTooOften       a limit stops it: nothing was asked of the caller
│   ├── KeyUsedBefore       the same Idempotency-Key came with another request
│   ├── CaptureNotFound     no capture of that id
│   └── NotNow              the capture is over, or not that far
└── GatewayError
    ├── GatewayNotReached   the request certainly did not arrive: nothing was charged
    ├── OutcomeUnknown      the request may have arrived: never charge again or deny it
    └── GatewayRefused      our request was wrong (keys, account, fields): nothing was charged
"""


class BillingError(Exception):
    """The root of this tree."""


class MoneyNotUnderstood(BillingError, ValueError):
    """An amount or a currency that cannot be."""


class CurrencyMismatch(BillingError, ValueError):
    """Two currencies in one sum."""


class LedgerUnavailable(BillingError):
    """The database did not answer; nothing was changed by us, or the commit's fate is unknown."""


class LedgerNotReached(LedgerUnavailable):
    """The database was not even asked: certainly nothing was changed."""


class InvoiceBeingPaid(BillingError):
    """Another attempt is charging this invoice now."""


class InvoiceAlreadyPaid(BillingError):
    """Paid since it was read."""


class AmountOutOfRange(BillingError):
    """Nothing, or not what may be paid of it."""


class AmountTooSmall(AmountOutOfRange):
    """Less than the smallest part that is taken."""


class AmountTooLarge(AmountOutOfRange):
    """More than what is due."""


class AttemptNotFound(BillingError):
    """No attempt of that id."""


class PromiseRefused(BillingError):
    """Payment cannot be promised like that."""


class LinkNotFound(BillingError):
    """No link of that id."""


class NotReachable(BillingError):
    """A customer cannot be told in that way: nothing was sent."""


class TransitionRefused(BillingError):
    """An attempt cannot go from its `state` to that one."""

    def __init__(self, sentence: str, state: str) -> None:
        super().__init__(sentence)
        self.state = state


class CaptureError(BillingError):
    """A capture with an agent cannot be had, or not changed like that; the text says why."""


class TalkNotFound(CaptureError):
    """No such channel, or it is not in a talk of two."""


class TalkUnreachable(CaptureError):
    """The PBX or the secure process is away: nothing was changed."""


class TalkRecorded(CaptureError):
    """The PBX records the talk, and that cannot be muted: nothing was changed."""


class NotPayable(CaptureError):
    """These invoices cannot be paid together, or not at all."""


class TriedTooOften(CaptureError):
    """A limit stops it (limits.py): nothing was asked of the caller."""


class KeyUsedBefore(CaptureError):
    """The same Idempotency-Key came with another request."""


class CaptureNotFound(CaptureError):
    """No capture of that id."""


class NotNow(CaptureError):
    """The capture is over, or not that far."""


class GatewayError(BillingError):
    """The payment gateway did not give a plain yes or no."""


class GatewayNotReached(GatewayError):
    """The request certainly did not arrive: nothing was charged."""


class OutcomeUnknown(GatewayError):
    """The request may have arrived: never charge again, never say "not charged"."""


class GatewayRefused(GatewayError):
    """Our request was wrong (keys, account, fields): nothing was charged."""

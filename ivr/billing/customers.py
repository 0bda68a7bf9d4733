"""Who owes, and the lines and services they owe for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CustomerKind(StrEnum):
    """A person has a first name and surname; a company has a name only."""

    PERSON = "person"
    COMPANY = "company"


class ServiceStatus(StrEnum):
    """Whether a line works."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class SuspensionReason(StrEnum):
    """Why a line is suspended; only NON_PAYMENT ends by paying."""

    NON_PAYMENT = "non-payment"
    REQUESTED = "requested"
    FRAUD = "fraud"


@dataclass(frozen=True, slots=True)
class Customer:
    """One account: the number a caller keys, and what proves that the caller may hear about it."""

    id: int
    account_number: str
    """digits only"""
    kind: CustomerKind
    name: str
    """what is spoken: "James Smith", "Talleres Hermanos Ruiz" """
    language: str
    """en or es"""
    postal_code: str
    """the second factor; digits, as keyed on a telephone"""


@dataclass(frozen=True, slots=True)
class Service:
    """A line or subscription that invoices are written for."""

    id: int
    customer_id: int
    label: str
    """as spoken: "James's mobile", "the house line" """
    number: str
    """the line's own telephone number in E.164, empty for services without one"""
    status: ServiceStatus
    suspended_for: SuspensionReason | None

"""What /metrics shows of `saldo serve`; never a digit in a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One registry for each daemon."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.calls = Counter("saldo_calls", "Calls, by outcome", ["outcome"], registry=registry)
        self.active = Gauge("saldo_calls_in_progress", "Calls now", registry=registry)
        self.payments = Counter("saldo_payments", "By result", ["result"], registry=registry)
        self.messages = Counter(
            "saldo_messages", "Tries to tell, by channel and what became of them",
            ["channel", "state"], registry=registry,
        )  # fmt: skip
        self.unresolved = Gauge(
            "saldo_payments_unresolved",
            "Outcomes unknown, those of them that need a person, and money to give back",
            ["state"],
            registry=registry,
        )
        self.resolved = Counter(
            "saldo_payments_resolved", "What became of them", ["event"], registry=registry
        )
        self.stopped = Counter(
            "saldo_limits", "Tries that a limit stopped", ["what", "limit"], registry=registry
        )
        self.breaker = Gauge(
            "saldo_cards_stopped", "1 while the breaker takes no cards, 0.5 on trial",
            registry=registry,
        )  # fmt: skip
        self.differences = Gauge(
            "saldo_ledger_differences", "What last night's comparison left to a person", ["kind"],
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "saldo_call_seconds", "Length of calls", registry=registry,
            buckets=(10, 30, 60, 120, 180, 300, 600, 1800),
        )  # fmt: skip

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
        self.unresolved = Gauge(
            "saldo_payments_unresolved",
            "Outcomes unknown, those of them that need a person, and money to give back",
            ["state"],
            registry=registry,
        )
        self.resolved = Counter(
            "saldo_payments_resolved", "What became of them", ["event"], registry=registry
        )
        self.seconds = Histogram(
            "saldo_call_seconds", "Length of calls", registry=registry,
            buckets=(10, 30, 60, 120, 180, 300, 600, 1800),
        )  # fmt: skip

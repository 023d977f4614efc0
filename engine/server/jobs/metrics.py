"""Figures for Prometheus, one registry per server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from engine.server.jobs.stories import Records

LATENCY_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 180.0)


class Metrics:
    """Requests by route, work by how it ended, what waits."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "engine_http_requests_total", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self.request_seconds = Histogram(
            "engine_http_request_seconds",
            "Until the answer began.",
            ("route",),
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._stories = Gauge("engine_stories", "Stories kept.", registry=self._registry)
        self._jobs = Gauge("engine_work", "Pieces of work by state.", ("state",), registry=self._registry)
        self._webhooks = Gauge("engine_webhooks", "Webhooks by state.", ("state",), registry=self._registry)

    def render(self) -> bytes:
        """All figures in the format of Prometheus."""
        counts = self._records.count_by_state()
        self._stories.set(counts["stories"])
        for gauge, prefix in ((self._jobs, "work."), (self._webhooks, "deliveries.")):
            gauge.clear()
            for name, count in counts.items():
                if name.startswith(prefix):
                    gauge.labels(name.removeprefix(prefix)).set(count)
        return generate_latest(self._registry)

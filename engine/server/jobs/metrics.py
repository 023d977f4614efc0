"""Prometheus metrics, with one registry per server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from engine.server.jobs.stories import Records

LATENCY_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 180.0)


class Metrics:
    """HTTP requests by route, jobs and webhooks by state, and the number of stories."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "engine_http_requests_total", "HTTP requests.", ("method", "route", "status"), registry=self._registry
        )
        self.request_seconds = Histogram(
            "engine_http_request_duration_seconds",
            "Time to response start.",
            ("route",),
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._stories = Gauge("engine_stories", "Stored stories.", registry=self._registry)
        self._jobs = Gauge("engine_jobs", "Jobs by state.", ("state",), registry=self._registry)
        self._webhooks = Gauge("engine_webhooks", "Webhook deliveries by state.", ("state",), registry=self._registry)

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        counts = self._records.count_by_state()
        self._stories.set(counts["stories"])
        for gauge, prefix in ((self._jobs, "jobs."), (self._webhooks, "webhooks.")):
            gauge.clear()
            for name, count in counts.items():
                if name.startswith(prefix):
                    gauge.labels(name.removeprefix(prefix)).set(count)
        return generate_latest(self._registry)

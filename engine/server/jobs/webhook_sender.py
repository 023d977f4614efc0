"""Sends the webhooks of the outbox, signed by Standard Webhooks (https://www.standardwebhooks.com).

Every attempt has the same id."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from standardwebhooks.webhooks import Webhook

from engine.inputs.fetch import FetchError, UrlFetcher
from engine.server.jobs.webhook_outbox import Delivery, Outbox
from engine.storage.database import DatabaseError

TIMEOUT_SECONDS = 10.0
"""Timeout of one attempt."""
MAX_CONCURRENT = 200
"""Concurrent attempts; slow receivers do not delay others."""
RETRY_SECONDS = 1.0
"""Seconds between two attempts to write to an unavailable database."""
log = logging.getLogger("engine.server")


def generate_secret() -> str:
    """Return a new secret for signing webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class WebhookSender:
    """A thread that sends due webhooks. `retry_delays`: seconds before each retry."""

    def __init__(self, outbox: Outbox, fetcher: UrlFetcher, secret: str, retry_delays: Sequence[float]) -> None:
        self._outbox, self._fetcher, self._retry_delays = outbox, fetcher, tuple(retry_delays)
        self._signer = Webhook(secret)
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), name="webhook-sender", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; pending webhooks are sent after the next start."""
        self._stopping = True
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """Check the outbox now; callable from any thread."""
        self._loop.call_soon_threadsafe(self._wake.set)

    def signature_headers(self, delivery: Delivery, now: datetime) -> dict[str, str]:
        """Return the signature headers of an attempt."""
        return {
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery.id, now, delivery.body),
        }

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                for delivery in self._outbox.list_due(MAX_CONCURRENT, max(self._retry_delays, default=0.0)):
                    if delivery.id not in self._in_flight and len(self._in_flight) < MAX_CONCURRENT:
                        task = asyncio.create_task(self._attempt(delivery))
                        self._in_flight[delivery.id] = task
                        task.add_done_callback(partial(self._remove_finished, delivery.id))
            except DatabaseError:
                log.exception("cannot read the webhook outbox; retrying")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)
        for pending in self._in_flight.values():
            pending.cancel()
        await asyncio.gather(*self._in_flight.values(), return_exceptions=True)

    def _remove_finished(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        del self._in_flight[delivery_id]

    async def _attempt(self, delivery: Delivery) -> None:
        status, error_code = 0, ""
        try:
            headers = self.signature_headers(delivery, datetime.now(UTC))
            status = await self._fetcher.apost_json(delivery.url, delivery.body.encode(), headers, TIMEOUT_SECONDS)
        except FetchError as error:
            error_code = error.code
        except Exception:
            log.exception("cannot send webhook")
        sent = 200 <= status < 300
        retry_delay = (
            None if sent or delivery.attempts >= len(self._retry_delays) else self._retry_delays[delivery.attempts]
        )
        await self._record_attempt(delivery, sent=sent, retry_delay=retry_delay)
        fields = {
            "story_id": delivery.story_id,
            "attempt": delivery.attempts + 1,
            "status": status,
            "error_code": error_code,
            "retry_in_seconds": retry_delay,
        }
        log.info("webhook", extra={"fields": fields})

    async def _record_attempt(self, delivery: Delivery, *, sent: bool, retry_delay: float | None) -> None:
        """Store the result of an attempt. Retries while the database is unavailable: no webhook is sent twice."""
        logged = False
        while True:
            try:
                self._outbox.record_attempt(delivery, sent=sent, retry_delay=retry_delay)
                return
            except DatabaseError:
                if not logged:
                    log.exception("cannot store the webhook attempt; retrying")
                    logged = True
                await asyncio.sleep(RETRY_SECONDS)

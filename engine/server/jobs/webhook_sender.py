"""Sends webhooks from the outbox: saved before they are sent, the same id in every try, signed by Standard Webhooks."""

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
"""How long one try may take in all."""
MAX_CONCURRENT = 200
"""Receivers that are waited for at the same time, so that slow ones delay no other."""
RETRY_SECONDS = 1.0
"""Seconds before what the history could not take is tried again."""
log = logging.getLogger("engine.server")


def generate_secret() -> str:
    """A secret that signs webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class WebhookSender:
    """A thread that looks for webhooks whose time has come. `pauses`: seconds before each further try."""

    def __init__(self, outbox: Outbox, fetcher: UrlFetcher, secret: str, retry_delays: Sequence[float]) -> None:
        self._outbox, self._fetcher, self._retry_delays = outbox, fetcher, tuple(retry_delays)
        self._signer = Webhook(secret)
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), name="webhooks", daemon=True
        )

    def start(self) -> None:
        """Send what waits, and what comes."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what waits or was under way is sent after the next start."""
        self._stopping = True
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """There may be something to send."""
        self._loop.call_soon_threadsafe(self._wake.set)

    def signature_headers(self, delivery: Delivery, now: datetime) -> dict[str, str]:
        """The headers that sign a try."""
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
                log.exception("the outbox cannot be read; it is tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)
        for pending in self._in_flight.values():
            pending.cancel()
        await asyncio.gather(*self._in_flight.values(), return_exceptions=True)

    def _remove_finished(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        del self._in_flight[delivery_id]

    async def _attempt(self, delivery: Delivery) -> None:
        status, reason = 0, ""
        try:
            headers = self.signature_headers(delivery, datetime.now(UTC))
            status = await self._fetcher.apost_json(delivery.url, delivery.body.encode(), headers, TIMEOUT_SECONDS)
        except FetchError as error:
            reason = error.code
        except Exception:
            log.exception("a webhook could not be sent")
        sent = 200 <= status < 300
        retry_delay = (
            None if sent or delivery.attempts >= len(self._retry_delays) else self._retry_delays[delivery.attempts]
        )
        await self._record_attempt(delivery, sent=sent, retry_delay=retry_delay)
        fields = {
            "story": delivery.story_id,
            "try": delivery.attempts + 1,
            "status": status,
            "reason": reason,
            "next": retry_delay,
        }
        log.info("webhook", extra={"fields": fields})

    async def _record_attempt(self, delivery: Delivery, *, sent: bool, retry_delay: float | None) -> None:
        """Until a try is written down it counts as under way: it must not be sent again and again meanwhile."""
        logged = False
        while True:
            try:
                self._outbox.record_attempt(delivery, sent=sent, retry_delay=retry_delay)
                return
            except DatabaseError:
                if not logged:
                    log.exception("a try of a webhook cannot be noted yet; it is tried again")
                    logged = True
                await asyncio.sleep(RETRY_SECONDS)

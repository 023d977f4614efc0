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

from engine.inputs.fetch import Door, FetchError
from engine.server.jobs.webhook_outbox import Delivery, Outbox
from engine.storage.database import JobsError

SECONDS = 10.0
"""How long one try may take in all."""
AT_ONCE = 200
"""Receivers that are waited for at the same time, so that slow ones delay no other."""
AGAIN = 1.0
"""Seconds before what the history could not take is tried again."""
log = logging.getLogger("engine.server")


def new_secret() -> str:
    """A secret that signs webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Sender:
    """A thread that looks for webhooks whose time has come. `pauses`: seconds before each further try."""

    def __init__(self, outbox: Outbox, door: Door, secret: str, pauses: Sequence[float]) -> None:
        self._outbox, self._door, self._pauses = outbox, door, tuple(pauses)
        self._signer = Webhook(secret)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._ending = False
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), name="webhooks", daemon=True
        )

    def start(self) -> None:
        """Send what waits, and what comes."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what waits or was under way is sent after the next start."""
        self._ending = True
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """There may be something to send."""
        self._loop.call_soon_threadsafe(self._wake.set)

    def headers(self, delivery: Delivery, now: datetime) -> dict[str, str]:
        """The headers that sign a try."""
        return {
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery.id, now, delivery.body),
        }

    async def _run(self) -> None:
        while not self._ending:
            self._wake.clear()
            try:
                for delivery in self._outbox.due(AT_ONCE, max(self._pauses, default=0.0)):
                    if delivery.id not in self._under_way and len(self._under_way) < AT_ONCE:
                        trying = asyncio.create_task(self._try(delivery))
                        self._under_way[delivery.id] = trying
                        trying.add_done_callback(partial(self._over, delivery.id))
            except JobsError:
                log.exception("the outbox cannot be read; it is tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _over(self, delivery_id: str, trying: asyncio.Task[None]) -> None:
        del self._under_way[delivery_id]

    async def _try(self, delivery: Delivery) -> None:
        status, reason = 0, ""
        try:
            headers = self.headers(delivery, datetime.now(UTC))
            status = await self._door.apost_json(delivery.url, delivery.body.encode(), headers, SECONDS)
        except FetchError as error:
            reason = error.reason
        except Exception:
            log.exception("a webhook could not be sent")
        sent = 200 <= status < 300
        pause = None if sent or delivery.tries >= len(self._pauses) else self._pauses[delivery.tries]
        await self._noted(delivery, sent=sent, pause=pause)
        fields = {"story": delivery.story, "try": delivery.tries + 1, "status": status, "reason": reason, "next": pause}
        log.info("webhook", extra={"fields": fields})

    async def _noted(self, delivery: Delivery, *, sent: bool, pause: float | None) -> None:
        """Until a try is written down it counts as under way: it must not be sent again and again meanwhile."""
        told = False
        while True:
            try:
                self._outbox.tried(delivery, sent=sent, pause=pause)
                return
            except JobsError:
                if not told:
                    log.exception("a try of a webhook cannot be noted yet; it is tried again")
                    told = True
                await asyncio.sleep(AGAIN)

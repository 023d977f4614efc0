"""Sends webhooks from the outbox: saved before they are sent, the same id in every try, signed by Standard Webhooks."""

from __future__ import annotations

import base64
import logging
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from engine.fetch import Door, FetchError
from engine.server.records import Delivery, Records

SECONDS = 10.0
"""How long one try may take in all."""
AT_ONCE = 8
"""Receivers that are waited for at the same time, so that a slow one delays no other."""
log = logging.getLogger("engine.server")


def new_secret() -> str:
    """A secret that signs webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Sender:
    """A thread that looks for webhooks whose time has come. `pauses`: seconds before each further try."""

    def __init__(self, records: Records, door: Door, secret: str, pauses: Sequence[float]) -> None:
        self._records, self._door, self._pauses = records, door, tuple(pauses)
        self._signer = Webhook(secret)
        self._wake, self._ending = threading.Event(), threading.Event()
        self._under_way: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Send what waits, and what comes."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what waits is sent after the next start."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def headers(self, delivery: Delivery, now: datetime) -> dict[str, str]:
        """The headers that sign a try."""
        return {
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery.id, now, delivery.body),
        }

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            while not self._ending.is_set():
                self._wake.clear()
                for delivery in self._records.due(100):
                    if delivery.id not in self._under_way:
                        self._under_way.add(delivery.id)
                        pool.submit(self._try, delivery)
                self._wake.wait(1.0)
            pool.shutdown(wait=True, cancel_futures=True)

    def _try(self, delivery: Delivery) -> None:
        status, reason = 0, ""
        try:
            headers = self.headers(delivery, datetime.now(UTC))
            status = self._door.post_json(delivery.url, delivery.body.encode(), headers, SECONDS)
        except FetchError as error:
            reason = error.reason
        except Exception:
            log.exception("a webhook could not be sent")
        sent = 200 <= status < 300
        pause = None if sent or delivery.tries >= len(self._pauses) else self._pauses[delivery.tries]
        self._records.tried(delivery, sent=sent, pause=pause)
        self._under_way.discard(delivery.id)
        fields = {"story": delivery.story, "try": delivery.tries + 1, "status": status, "reason": reason, "next": pause}
        log.info("webhook", extra={"fields": fields})

"""The environment, read once, typed."""

from __future__ import annotations

import logging
import logging.handlers
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP_NAME = "story-engine"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are kept, and what is allowed.

    `data` holds the store and the history, `weights` the weights of models: both under `ENGINE_HOME` when that is set, else
    in the platform's data and cache folders. `allow_private_urls` (`ENGINE_ALLOW_PRIVATE_URLS=1`) lets stories name
    addresses on this machine.
    """

    data: Path
    weights: Path
    allow_private_urls: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        home = environment.get("ENGINE_HOME")
        return cls(
            data=Path(home).expanduser() if home else platformdirs.user_data_path(APP_NAME, appauthor=False),
            weights=Path(home).expanduser() / "weights"
            if home
            else platformdirs.user_cache_path(APP_NAME, appauthor=False) / "weights",
            allow_private_urls=environment.get("ENGINE_ALLOW_PRIVATE_URLS") == "1",
        )

    @property
    def store(self) -> Path:
        return self.data / "store"

    @property
    def database(self) -> Path:
        return self.data / "engine.sqlite"

    @property
    def logs(self) -> Path:
        return self.data / "logs"


def configure_file_logging(path: Path) -> None:
    """Keep warnings and errors, causes included, in a file that does not grow without end. Where it cannot be written the work
    goes on without it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=4_000_000, backupCount=2, encoding="utf-8", delay=True
        )
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("engine")
    logger.handlers[:] = [handler]
    logger.propagate = False

"""Settings of the engine, from environment variables."""

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
    """Folders and permissions.

    `data`: folder of the artifact store, the database and the logs; `weights`: folder of model weights. Both are in
    `ENGINE_HOME` if it is set, else in the data and cache folders of the platform. `allow_private_urls`
    (`ENGINE_ALLOW_PRIVATE_URLS=1`): allow URLs of this machine in stories.
    """

    data: Path
    weights: Path
    allow_private_urls: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of an environment."""
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
        """Return the folder of the artifact store."""
        return self.data / "store"

    @property
    def database(self) -> Path:
        """Return the file of the database."""
        return self.data / "engine.sqlite"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs."""
        return self.data / "logs"


def configure_file_logging(path: Path) -> None:
    """Log warnings and errors with tracebacks to a rotating file of at most 12 MB; do nothing if it is not writable."""
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

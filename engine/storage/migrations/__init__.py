"""The schema of the database, as numbered migrations.

`NNNN_name.sql` brings a database from schema version NNNN - 1 to NNNN; `PRAGMA user_version` holds the version. A
released file never changes: a change of the schema is a new file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from engine.storage.migrations.plain_names import register_functions


class NewerSchema(RuntimeError):
    """A newer version of the program wrote the database."""


def _read_migrations() -> tuple[str, ...]:
    return tuple(script.read_text("utf-8") for script in sorted(Path(__file__).parent.glob("*.sql")))


MIGRATIONS = _read_migrations()
"""SQL of each migration, in order."""
SCHEMA_VERSION = len(MIGRATIONS)
"""The schema version that this program reads and writes."""


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Apply the missing migrations, in the transaction of the caller. Raises NewerSchema.

    Foreign keys must be off: a migration may replace a table that other tables refer to."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise NewerSchema(f"schema version {version}; this program supports versions up to {len(migrations)}")
    if version == len(migrations):
        return
    register_functions(connection)
    for script in migrations[version:]:
        for statement in script.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(migrations)}")

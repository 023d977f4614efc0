CREATE TABLE runs (
    id TEXT PRIMARY KEY, created REAL NOT NULL, updated REAL NOT NULL, title TEXT NOT NULL, source TEXT NOT NULL,
    out TEXT NOT NULL, status TEXT NOT NULL, process TEXT NOT NULL, story TEXT NOT NULL, film TEXT,
    warnings TEXT NOT NULL, error TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_time ON runs (created DESC);
CREATE TABLE refers (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, what TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, what, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE timings (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, work REAL NOT NULL, seconds REAL NOT NULL,
    peak_memory_mb INTEGER NOT NULL, bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX timings_by_model ON timings (kind, model, id DESC);

-- Version 1 as the server of release 0.1 created it.
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
CREATE TABLE IF NOT EXISTS economies (
    model TEXT PRIMARY KEY, economy INTEGER NOT NULL, at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stories (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, api TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL,
    revision INTEGER NOT NULL, told TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, visibility TEXT NOT NULL,
    extra TEXT NOT NULL, stages TEXT NOT NULL, film TEXT, film_number INTEGER NOT NULL, webhook TEXT, expires REAL
) STRICT;
CREATE INDEX IF NOT EXISTS stories_by_owner ON stories (owner, api, created DESC, id);
CREATE INDEX IF NOT EXISTS stories_by_expiry ON stories (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS work (
    number INTEGER PRIMARY KEY AUTOINCREMENT, story TEXT NOT NULL REFERENCES stories (id) ON DELETE CASCADE,
    goal TEXT NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL, progress INTEGER NOT NULL, told TEXT,
    message TEXT NOT NULL, word TEXT NOT NULL, created REAL NOT NULL, ended REAL
) STRICT;
CREATE INDEX IF NOT EXISTS work_of_story ON work (story, number DESC);
CREATE INDEX IF NOT EXISTS work_to_do ON work (priority DESC, number) WHERE state = 'queued';
CREATE TABLE IF NOT EXISTS deaths (
    work INTEGER PRIMARY KEY REFERENCES work (number) ON DELETE CASCADE, times INTEGER NOT NULL, progress INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, story TEXT NOT NULL REFERENCES stories (id) ON DELETE CASCADE, url TEXT NOT NULL, body TEXT NOT NULL,
    tries INTEGER NOT NULL, due REAL NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS credits (
    work INTEGER PRIMARY KEY, owner TEXT NOT NULL, story TEXT NOT NULL, aside INTEGER NOT NULL, spent INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS credits_of_owner ON credits (owner);
CREATE INDEX IF NOT EXISTS credits_of_story ON credits (story);
CREATE TABLE IF NOT EXISTS answers (
    owner TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER, body TEXT, created REAL NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT;
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS api_keys (digest TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL) STRICT;
PRAGMA user_version = 1;

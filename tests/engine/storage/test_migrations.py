"""Schema migrations: a database file of every earlier version opens with its data."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.execution.memory_modes import MemoryModeStore
from engine.server.jobs.credits import Credits
from engine.server.jobs.stories import Records
from engine.storage.database import Database, DatabaseError
from engine.storage.migrations import MIGRATIONS, SCHEMA_VERSION, migrate
from engine.storage.migrations.plain_names import rename_story_json
from engine.story.model import from_json
from pipelines.base import MemoryMode, ModelSpec

SCHEMAS = Path(__file__).parent / "schemas"
OLD_STORY = {
    "title": "A snail", "seed": 1, "audio": {"sample": {"source": "voice.wav", "digest": "5" * 64}, "music": False},
    "sounds": [{"source": "rain.mp3", "digest": "6" * 64}], "takes": {"keyframe:1": 2, "bridge:1": 1},
    "shared": [{"description": "style", "picture": {"source": "a.png", "digest": "7" * 64}}],
    "choices": {"models": {"animate": "animatic"}}, "scenes": [{"prompt": "a snail \N{SNAIL}"}],
}  # fmt: skip
OLD_BRIEF = {"idea": "A snail", "audio": {"sample": None}}
RUN = ("r1", 1.0, 2.0, "A snail", "s.yaml", "films", "done", "1 1", json.dumps(OLD_STORY), "f" * 64, '["w"]', "")


def rows_of(table, *rows):
    return [(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row) for row in rows]


COMMAND_LINE_ROWS = [
    *rows_of("runs", RUN),
    *rows_of("refers", ("r1", "key", "k1"), ("r1", "digest", "d1")),
    *rows_of("timings", (1, "glimpse", "opencv", 2.0, 4.0, 100, 10)),
    *rows_of("economies", ("wan", int(MemoryMode.GROUP_OFFLOAD), 1e12)),
]
STORY_ROW = ("s1", "local", "v1", 1.0, 2.0, 3, json.dumps({"story": OLD_STORY}), "A snail", "", "0", '{"k": 1}', "film",
             "f" * 64, 2, "https://a.example/hook", None)  # fmt: skip
SERVER_ROWS = [
    *COMMAND_LINE_ROWS,
    *rows_of("stories", STORY_ROW),
    *rows_of("work", (7, "s1", "film", 1, "running", 40, json.dumps({"brief": OLD_BRIEF}), "", "", 1.0, None)),
    *rows_of("deaths", (7, 2, 10)),
    *rows_of(
        "deliveries",
        ("m1", "s1", "https://a.example", "{}", 3, 1.0, "waiting"),
        ("m2", "s1", "https://a.example", "{}", 9, 1.0, "given up"),
    ),
    *rows_of("credits", (7, "local", "s1", 5, 3)),
    *rows_of("answers", ("local", "key", "POST /story", 200, "{}", 1.0)),
    *rows_of("secrets", ("media", "secret")),
    *rows_of("api_keys", ("a" * 64, "laptop", 1.0)),
]


def create_version_1(path, schema, rows):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SCHEMAS / schema).read_text())
        for statement, values in rows:
            connection.execute(statement, values)
        connection.commit()


def schema_of(path):
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY name"
        return [(name, " ".join(sql.split())) for name, sql in connection.execute(query)]


@pytest.fixture
def fresh_schema(tmp_path):
    Database(tmp_path / "fresh.sqlite").close()
    return schema_of(tmp_path / "fresh.sqlite")


@pytest.mark.parametrize(
    ("schema", "rows"),
    [("version_1_command_line.sql", COMMAND_LINE_ROWS), ("version_1_server.sql", SERVER_ROWS)],
)
def test_a_version_1_database_opens_with_its_runs_timings_and_memory_modes(tmp_path, fresh_schema, schema, rows):
    path = tmp_path / "engine.sqlite"
    create_version_1(path, schema, rows)
    with Database(path) as database:
        run = database.get_run("r1")
        assert (run.status, run.output_folder, run.film, run.warnings) == ("done", "films", "f" * 64, ("w",))
        assert run.story["takes"] == {"keyframe:1": 2, "transition:1": 1}
        assert (database.live_keys(), database.live_digests()) == ({"k1"}, {"d1", "f" * 64})
        estimate = database.estimate("sample_frames", "opencv")
        assert (estimate.seconds, estimate.bytes, estimate.samples) == (2.0, 5, 1)
        spec = ModelSpec(name="wan", family="a:B", kinds=frozenset({"animate"}))
        assert MemoryModeStore(database).get(spec) == MemoryMode.GROUP_OFFLOAD
        assert database.query("PRAGMA foreign_key_check") == []
    assert schema_of(path) == fresh_schema


def test_a_version_1_database_of_a_server_opens_with_its_stories_jobs_and_webhooks(tmp_path):
    path = tmp_path / "engine.sqlite"
    create_version_1(path, "version_1_server.sql", SERVER_ROWS)
    with Database(path) as database:
        records = Records(database, Credits(database, 10, {}))
        record = records.get("s1")
        assert (record.film, record.film_number, record.webhook) == ("f" * 64, 2, "https://a.example/hook")
        assert (record.stages, record.extra, record.used_credits) == (("film",), {"k": 1}, 3)
        assert record.story.audio.voice_sample.source == "voice.wav"
        assert [sound.source for sound in record.story.audio_tracks] == ["rain.mp3"]
        assert record.story.shared_references[0].description == "style"
        assert record.story.scenes[0].prompt == "a snail \N{SNAIL}"
        assert (record.job.id, record.job.target, record.job.state, record.job.progress) == (7, "film", "running", 40)
        assert from_json(record.job.story_json).idea == "A snail"
        assert [(one.id, one.attempts) for one in records.outbox.list_due(9, 60.0)] == [("m1", 3)]
        assert records.count_by_state()["webhooks.failed"] == 1
        assert [tuple(row) for row in database.query("SELECT job_id, crashes, progress FROM crash_counts")] == [
            (7, 2, 10)
        ]
        assert database.query("SELECT fingerprint FROM idempotency_keys")[0]["fingerprint"] == "POST /story"
        records.delete("s1")
        for table in ("jobs", "crash_counts", "webhook_deliveries"):
            assert database.query(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_an_empty_database_of_each_version_gets_the_current_schema(tmp_path, fresh_schema, version):
    path = tmp_path / "engine.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:version])
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    Database(path).close()
    assert schema_of(path) == fresh_schema


def test_a_database_of_a_newer_version_is_refused_and_unchanged(tmp_path):
    path = tmp_path / "engine.sqlite"
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = schema_of(path)
    with pytest.raises(DatabaseError, match=rf"newer version .*\b{SCHEMA_VERSION + 1}\b.*\b{SCHEMA_VERSION}\b"):
        Database(path)
    assert schema_of(path) == before


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path):
    path = tmp_path / "engine.sqlite"
    create_version_1(path, "version_1_server.sql", [*SERVER_ROWS, ("UPDATE stories SET told = 'broken'", ())])
    before = schema_of(path)
    with pytest.raises(DatabaseError):
        Database(path)
    assert schema_of(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM refers").fetchone() == (2,)


def test_stored_step_ids_and_kinds_get_their_current_names():
    takes = {
        "check:texts": 1, "check:idea": 1, "intake:characters[0].states.a:b.reference_url": 1, "inspect:portrait:Mara": 1,
        "inspect:intake:scenes[0].picture": 1, "encode:keyframe:2": 1, "enhance:keyframe:2": 1, "compose": 1,
    }  # fmt: skip
    renamed = json.loads(rename_story_json(json.dumps({"takes": takes, "choices": {"models": {"bridge": "rife"}}})))
    assert list(renamed["takes"]) == [
        "check_text:story", "check_text:idea", "sanitize_image:characters[0].states.a:b.reference_url",
        "check_image:portrait:Mara", "check_image:sanitize_image:scenes[0].picture", "encode_prompt:keyframe:2",
        "enhance:keyframe:2", "compose",
    ]  # fmt: skip
    assert renamed["choices"]["models"] == {"transition": "rife"}

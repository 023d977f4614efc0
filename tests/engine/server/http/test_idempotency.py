"""Responses stored by Idempotency-Key."""

import pytest

from engine.server.http.idempotency import IdempotencyStore
from engine.storage.database import Database


@pytest.fixture
def now():
    return [1_000_000.0]


@pytest.fixture
def repeats(tmp_path, now):
    with Database(tmp_path / "engine.sqlite") as database:
        yield IdempotencyStore(database, clock=lambda: now[0])


def test_an_unfinished_request_of_a_killed_server_can_be_repeated_with_its_key(repeats):
    for key in ("answered", "cut"):
        assert repeats.reserve("me", key, "a request") is None
    repeats.store_response("me", "answered", 200, "{}")
    repeats.release_unfinished()
    assert repeats.reserve("me", "cut", "a request") is None
    assert repeats.reserve("me", "answered", "a request") == ("a request", 200, "{}")


def test_old_responses_are_deleted(repeats, now):
    repeats.reserve("me", "old", "a request")
    now[0] += 100
    repeats.reserve("me", "new", "a request")
    now[0] += 50
    repeats.prune(100)
    assert repeats.reserve("me", "old", "another") is None
    assert repeats.reserve("me", "new", "another") == ("a request", None, None)

"""Answers by their Idempotency-Key."""

import pytest

from engine.server.http.idempotency import IdempotencyStore
from engine.storage.database import Database


@pytest.fixture
def now():
    return [1_000_000.0]


@pytest.fixture
def repeats(tmp_path, now):
    with Database(tmp_path / "engine.sqlite") as jobs:
        yield IdempotencyStore(jobs, clock=lambda: now[0])


def test_what_a_killed_server_was_answering_may_be_asked_again_under_its_key(repeats):
    for key in ("answered", "cut"):
        assert repeats.reserve("me", key, "a request") is None
    repeats.store_response("me", "answered", 200, "{}")
    repeats.release_unfinished()
    assert repeats.reserve("me", "cut", "a request") is None
    assert repeats.reserve("me", "answered", "a request") == ("a request", 200, "{}")


def test_answers_are_forgotten_after_a_while(repeats, now):
    repeats.reserve("me", "old", "a request")
    now[0] += 100
    repeats.reserve("me", "new", "a request")
    now[0] += 50
    repeats.prune(100)
    assert repeats.reserve("me", "old", "another") is None
    assert repeats.reserve("me", "new", "another") == ("a request", None, None)

"""What had to be given up for memory is known the next time, and tried again after a day."""

import pytest

from engine.execution.memory_modes import EXPIRY_SECONDS, MemoryModeStore
from engine.storage.database import Database
from pipelines.base import MemoryMode
from tests.fixtures.families import spec


@pytest.fixture
def jobs(tmp_path):
    jobs = Database(tmp_path / "engine.sqlite")
    yield jobs
    jobs.close()


def test_what_helped_is_remembered(jobs):
    now = [1000.0]
    economies = MemoryModeStore(jobs, lambda: now[0])
    assert economies.get(spec()) == MemoryMode.NONE
    economies.record("echo", MemoryMode.NONE)
    assert economies.get(spec()) == MemoryMode.NONE
    economies.record("echo", MemoryMode.LEAF_OFFLOAD)
    economies.record("echo", MemoryMode.GROUP_OFFLOAD)
    assert MemoryModeStore(jobs, lambda: now[0]).get(spec()) == MemoryMode.LEAF_OFFLOAD, "the deeper rung counts"
    now[0] += EXPIRY_SECONDS
    assert economies.get(spec()) == MemoryMode.NONE
    economies.record("echo", MemoryMode.GROUP_OFFLOAD)
    assert economies.get(spec()) == MemoryMode.GROUP_OFFLOAD

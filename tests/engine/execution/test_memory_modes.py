"""What had to be given up for memory is known the next time, and tried again after a day."""

import pytest

from engine.execution.memory_modes import FORGET, Economies
from engine.storage.database import Jobs
from pipelines.base import Economy
from tests.fixtures.families import spec


@pytest.fixture
def jobs(tmp_path):
    jobs = Jobs(tmp_path / "engine.sqlite")
    yield jobs
    jobs.close()


def test_what_helped_is_remembered(jobs):
    now = [1000.0]
    economies = Economies(jobs, lambda: now[0])
    assert economies.of(spec()) == Economy.NONE
    economies.add("echo", Economy.NONE)
    assert economies.of(spec()) == Economy.NONE
    economies.add("echo", Economy.LEAVES)
    economies.add("echo", Economy.GROUPS)
    assert Economies(jobs, lambda: now[0]).of(spec()) == Economy.LEAVES, "the deeper rung counts"
    now[0] += FORGET
    assert economies.of(spec()) == Economy.NONE
    economies.add("echo", Economy.GROUPS)
    assert economies.of(spec()) == Economy.GROUPS

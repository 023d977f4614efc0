"""The peak of one task is its own."""

import subprocess
import sys

import pytest

from engine.executor.memory import PeakMemory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process set its peak back")
def test_a_later_task_is_not_charged_for_an_earlier_one():
    """In a process of its own, as memory once freed may stay with the process."""
    code = (
        "from engine.executor.memory import PeakMemory\n"
        "def peak(size):\n"
        "    memory = PeakMemory(); data = bytearray(size << 20); del data\n"
        "    return memory.measured()['peak_memory_mb']\n"
        "print(peak(1), peak(200), peak(1))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    small, large, again = map(int, answer.split())
    assert 190 <= large - small <= 230
    assert again - small < 20


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_a_program_that_the_task_starts_counts():
    memory = PeakMemory()
    before = memory.measured()["peak_memory_mb"]
    subprocess.run([sys.executable, "-c", "x = bytearray(400 << 20)"], check=True)
    assert memory.measured()["peak_memory_mb"] - before >= 400

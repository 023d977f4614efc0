"""The peak of one task is its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process set its peak back")
def test_a_later_task_is_not_charged_for_an_earlier_one():
    """In a process of its own, as memory once freed may stay with the process."""
    code = (
        "from engine.execution.peak_memory import PeakMemory\n"
        "def peak(size):\n"
        "    memory = PeakMemory(); data = bytearray(size << 20); del data\n"
        "    return memory.measure()['peak_memory_mb']\n"
        "print(peak(1), peak(200), peak(1))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    small, large, again = map(int, answer.split())
    assert 190 <= large - small <= 230
    assert again - small < 20


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_a_program_that_the_task_starts_counts():
    """In a process of its own: a larger program that an earlier test started would hide this one."""
    code = (
        "import subprocess, sys\n"
        "from engine.execution.peak_memory import PeakMemory\n"
        "memory = PeakMemory()\n"
        "before = memory.measure()['peak_memory_mb']\n"
        "subprocess.run([sys.executable, '-c', 'x = bytearray(400 << 20)'], check=True)\n"
        "print(memory.measure()['peak_memory_mb'] - before)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(answer.stdout) >= 400

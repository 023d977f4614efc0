"""Slots by what the machine has."""

import os

import pytest

from engine.execution.devices import cpu_placements, device_placements, largest_device_mb

NVIDIA_SMI = """#!/bin/sh
echo '0, GPU-aaaa, 24564'
echo '1, GPU-bbbb, 81920'
echo '2, GPU-cccc, [N/A]'
"""


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine with two usable GPUs, by what the driver's own tool says."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(NVIDIA_SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_there_is_a_cpu_slot_and_none_sees_a_gpu():
    places = cpu_placements()
    assert 1 <= len(places) <= (os.cpu_count() or 1)
    assert {place.environment["CUDA_VISIBLE_DEVICES"] for place in places} == {""}
    assert len({place.name for place in places}) == len(places)


def test_cores_and_memory_are_shared_among_the_cpu_slots():
    (one,), two = cpu_placements(1), cpu_placements(2)
    assert one.device.threads == max(1, len(os.sched_getaffinity(0)))
    assert one.environment["OMP_NUM_THREADS"] == str(one.device.threads)
    assert [place.budget_mb for place in two] == [pytest.approx(one.budget_mb / 2, abs=1)] * 2


def test_each_gpu_has_a_slot_whose_process_sees_it_as_the_first(two_gpus):
    places = device_placements()
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in places] == ["GPU-aaaa", "GPU-bbbb"]
    assert [(place.device.kind, place.device.index) for place in places] == [("cuda", 0)] * 2
    assert [place.budget_mb for place in places] == [24564 * 9 // 10, 81920 * 9 // 10]
    assert (largest_device_mb(places), largest_device_mb(cpu_placements())) == (81920, 0)


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [("1", ["GPU-bbbb"]), ("GPU-bbbb,0", ["GPU-bbbb", "GPU-aaaa"]), ("", []), ("-1", []), ("7", [])],
)
def test_the_user_may_limit_which(two_gpus, monkeypatch, allowed, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in device_placements()] == seen


def test_a_driver_that_does_not_answer_is_no_gpu(two_gpus, tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert device_placements() == ()

"""`models pull`, `list`, `verify` and `rm` end to end, against a fake hub on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from engine.cli import main
from pipelines.models import environments
from tests.fixtures.hub import FakeHub, serve

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[3]

CATALOG = """
models:
  big:
    family: pipelines.image.sharpen:Sharpen
    kinds: [enhance]
    licence: OpenRAIL++-M
    device: gpu
    memory_mb: 9000
    weights: {model: {repo: o/big, gb: 13}}
  sibling:
    family: pipelines.image.sharpen:Sharpen
    kinds: [enhance]
    licence: Apache-2.0
    requires: [no_such_module_anywhere]
    extra: gpu
    weights: {model: {repo: o/big, gb: 13}, lora: {repo: o/lora, gb: 0.1}}
  mine:
    family: pipelines.image.sharpen:Sharpen
    kinds: [enhance]
    weights: {model: {repo: "file:mine"}}
profiles:
  great: {description: the best, device_mb: 24000, picks: {image.enhance: [sibling], video.default: [camera]}}
"""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    big = {"model.safetensors": b"12345678" * 500, "config.json": b"{}", "model.pkl": b"x"}
    with serve(FakeHub({"o/big": big, "o/lora": {"lora.safetensors": b"lora" * 100}})) as running:
        yield running


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hub: FakeHub
) -> Command:
    """`command("pull", "big")` → (exit code, standard output, standard error)."""
    (tmp_path / "more.yaml").write_text(CATALOG)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(
            sys, "argv", ["engine", "models", *map(str, arguments), "--models", str(tmp_path / "more.yaml")]
        )
        code: object = 0
        try:
            main.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        assert isinstance(code, int)
        return code, captured.out, captured.err

    return call


def line(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(word))


def test_pull_shows_size_licence_and_disk_space_and_downloads_nothing_without_consent(
    command: Command, hub: FakeHub
) -> None:
    code, out, err = command("pull", "big")
    assert code == 2
    assert "stdin is not a terminal; pass --yes" in err
    assert "big (OpenRAIL++-M; licence on the hub: apache-2.0)" in out
    assert "o/big at c0ffee000000: 0.0 MB to download of 0.0 MB, 2 files" in out
    assert "big needs a GPU with 9 GB; this machine has none: it would run on the CPU, very slowly" in out
    assert " free in " in out
    assert hub.downloads() == []


def test_downloaded_weights_are_listed_verified_and_not_downloaded_again(command: Command, hub: FakeHub) -> None:
    assert "to download: 13 GB" in line(command("list")[1], "big ")
    code, out, _ = command("pull", "big", "--yes")
    assert (code, hub.downloads()) == (0, ["config.json", "model.safetensors"])
    assert out.splitlines()[-1] == "big: all weights are installed"
    assert "installed" in line(command("list")[1], "big ")
    assert "big: o/big: intact: 2 files, 0.00 GB, at c0ffee000000" in command("verify")[1]
    hub.requests.clear()
    assert command("pull", "big") == (0, "big: all weights are installed\n", "")
    assert hub.requests == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_a_killed_download_resumes(command: Command, hub: FakeHub, tmp_path: Path) -> None:
    large = bytes(range(256)) * 46_000  # larger than the 10 MB chunks of huggingface_hub
    hub.files["o/big"]["model.safetensors"] = large
    hub.stall_after, hub.release = {"model.safetensors": 11_000_000}, threading.Event()
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    arguments = [
        sys.executable,
        "-m",
        "engine",
        "models",
        "pull",
        "big",
        "--yes",
        "--models",
        str(tmp_path / "more.yaml"),
    ]
    killed = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    partial = tmp_path / "home" / "weights" / "partial"
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in partial.rglob("*.begun")):
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    hub.release.set()
    hub.stall_after.clear()
    hub.requests.clear()
    assert "to download" in line(command("list")[1], "big ")
    assert command("pull", "big", "--yes")[0] == 0
    (byte_range,) = (header for _, path, _, header in hub.requests if path.endswith("model.safetensors"))
    assert int(byte_range.removeprefix("bytes=").removesuffix("-")) > 0
    assert command("verify", "big")[0] == 0


def test_verify_finds_a_corrupt_file_and_pull_repairs_it(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "--yes")
    (file,) = (tmp_path / "home" / "weights" / "snapshots").rglob("model.safetensors")
    file.write_bytes(b"87654321" * 500)
    code, out, _ = command("verify", "big")
    assert code == 4
    assert "corrupt: model.safetensors has a wrong SHA-256; python -m engine models pull big" in out
    assert command("pull", "big", "--yes")[0] == 0
    assert command("verify", "big")[0] == 0


def test_pulling_a_profile_downloads_its_best_models_and_names_missing_packages(command: Command, hub: FakeHub) -> None:
    code, out, _ = command("pull", "great", "--yes")
    assert code == 0
    assert set(hub.downloads()) == {"config.json", "model.safetensors", "lora.safetensors"}
    assert 'missing packages: pip install "story-engine[gpu]"' in out


def test_rm_keeps_weights_that_another_model_shares(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "sibling", "--yes")
    code, out, _ = command("rm", "sibling")
    assert code == 0
    assert "sibling: o/big is kept for big" in out
    assert "installed" in line(command("list")[1], "big ")
    assert "to download: 100 MB" in line(command("list")[1], "sibling ")
    command("rm", "big", "sibling")
    assert not list((tmp_path / "home" / "weights").rglob("*.safetensors"))


def test_unused_weights_are_listed_and_deleted(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "--yes")
    (tmp_path / "more.yaml").write_text("models: {}")
    assert "no model uses o/big" in command("list")[1]
    command("rm", "--unused")
    assert not list((tmp_path / "home" / "weights").rglob("*.safetensors"))
    assert "no model uses" not in command("list")[1]


def test_local_weights_are_locked_in_their_folder_and_never_deleted(command: Command, tmp_path: Path) -> None:
    code, _, err = command("pull", "mine", "--yes")
    assert code == 4
    assert "does not exist; put the files there" in err
    own = tmp_path / "home" / "weights" / "mine"
    own.mkdir(parents=True)
    (own / "model.safetensors").write_bytes(b"12345678")
    code, out, _ = command("pull", "mine", "--yes")
    assert code == 0
    assert "file:mine is hashed and locked in its folder" in out
    assert "installed" in line(command("list")[1], "mine ")
    assert command("rm", "mine")[1].splitlines()[0] == "mine: file:mine: local folder, files kept"
    assert (own / "model.safetensors").is_file()
    assert "to download" in line(command("list")[1], "mine ")


def test_pull_reads_a_folder_of_repositories_without_network(command: Command, hub: FakeHub, tmp_path: Path) -> None:
    for repo, files in hub.files.items():
        for name, content in files.items():
            (tmp_path / "stick" / repo).mkdir(parents=True, exist_ok=True)
            (tmp_path / "stick" / repo / name).write_bytes(content)
    code, out, _ = command("pull", "sibling", "--yes", "--offline", "--from", tmp_path / "stick")
    assert code == 0
    assert "not compared with the hub" in out
    assert hub.requests == []


def test_a_folder_with_the_files_of_one_repository_serves_only_that_repository(
    command: Command, hub: FakeHub, tmp_path: Path
) -> None:
    (tmp_path / "flat").mkdir()
    for name, content in hub.files["o/big"].items():
        (tmp_path / "flat" / name).write_bytes(content)
    assert command("pull", "big", "--yes", "--offline", "--from", tmp_path / "flat")[0] == 0
    command("rm", "big", "sibling")
    code, _, err = command("pull", "sibling", "--yes", "--offline", "--from", tmp_path / "flat")
    assert code == 4
    assert f"{tmp_path / 'flat' / 'o' / 'big'} has no weights" in err


def test_rm_deletes_shared_weights_if_the_other_model_is_not_installed(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "--yes")  # sibling shares these weights, but its LoRA is not downloaded
    assert command("rm", "big")[1].splitlines()[0] == "big: o/big: deleted"
    assert not list((tmp_path / "home" / "weights").rglob("*.safetensors"))


def test_pull_of_a_model_without_weights_and_rm_of_a_missing_model_say_so(command: Command) -> None:
    assert command("pull", "sharpen") == (0, "sharpen: no weights needed\n", "")
    assert command("rm", "big")[1].splitlines()[0] == "big: o/big: not downloaded"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pull", "bog"), 2, 'no model or profile "bog" in models.yaml; did you mean "big"?'),
        (("pull", "big", "--from", "/no/such/folder"), 2, "neither a URL nor a folder"),
        (("pull", "big", "--offline"), 4, "o/big is not in the local hub cache"),
        (("pull", "big", "--from", "http://127.0.0.1:9"), 4, "o/big: http://127.0.0.1:9 is unreachable"),
        (("pull", "big", "--from", "http://127.0.0.1:9"), 4, "big (13 GB; OpenRAIL++-M) cannot be downloaded: "),
        (("pull", "zzz"), 2, 'no model or profile "zzz" in models.yaml; `python -m engine models list` shows all'),
        (("rm",), 2, "name a model, or pass --unused"),
    ],
)
def test_an_impossible_command_prints_one_line(
    command: Command, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, _, err = command(*arguments)
    assert (found, len(err.splitlines())) == (code, 1)
    assert message in err


def test_the_error_of_a_gated_model_names_its_page(command: Command, hub: FakeHub) -> None:
    hub.gated = True
    code, _, err = command("pull", "big", "--yes")
    assert code == 4
    assert f"accept its licence at {hub.url}/o/big" in err.replace("https://huggingface.co", hub.url)


def test_too_little_disk_space_fails_before_any_download(
    command: Command, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.models.manager.ModelManager.free_bytes", lambda self: 1000)
    code, _, err = command("pull", "big", "--yes")
    assert code == 4
    assert "set ENGINE_HOME to a folder on a larger disk" in err
    assert hub.downloads() == []


def test_pull_creates_the_environment_of_a_model(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = '  apart: {family: "a:B", kinds: [enhance], env: {python: "3.99", requires: [x==1]}}\n'
    (tmp_path / "more.yaml").write_text(CATALOG.replace("profiles:", entry + "profiles:"))
    assert "to download: an environment of its own" in line(command("list")[1], "apart ")
    created: list[object] = []
    monkeypatch.setattr(
        environments, "create", lambda home, environment, offline: created.append((home, environment.requires))
    )
    code, out, _ = command("pull", "apart", "--yes")
    assert code == 0
    assert "apart: a separate environment, Python 3.99 with x==1" in out
    assert created == [(tmp_path / "home" / "weights", ("x==1",))]


def test_list_shows_capabilities_and_gpu_fit(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    out = command("list")[1]
    assert "9 GB; no GPU" in line(out, "big ")
    assert "yes" in line(out, "illustrator ")
    assert (
        line(out, "profile great") == "profile great: the best [needs a GPU with at least 23 GB; this machine has none]"
    )
    assert "to download weights: python -m engine models pull MODEL (or PROFILE)" in out
    monkeypatch.setattr("engine.execution.devices._nvidia_gpus", lambda: [("GPU-a", 24_000)])
    assert "9 GB; fits" in line(command("list")[1], "big ")

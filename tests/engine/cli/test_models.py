"""`models pull`, `list`, `verify`, `rm` as their user meets them, against a hub on this machine."""

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
        said = capsys.readouterr()
        assert isinstance(code, int)
        return code, said.out, said.err

    return call


def line(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(word))


def test_size_licence_and_room_are_shown_and_nothing_comes_before_it_is_agreed(command: Command, hub: FakeHub) -> None:
    code, out, err = command("pull", "big")
    assert code == 2
    assert "nobody is here to ask; say --yes" in err
    assert "big (OpenRAIL++-M; the hub says apache-2.0)" in out
    assert "o/big at c0ffee000000: 0.0 MB to bring here of 0.0 MB, 2 files" in out
    assert "big is made for a GPU with 9 GB; none is here: it would run on the processor, very slowly" in out
    assert "are free in" in out
    assert hub.downloads() == []


def test_what_was_pulled_is_listed_verified_and_not_pulled_again(command: Command, hub: FakeHub) -> None:
    assert "to pull: 13 GB" in line(command("list")[1], "big ")
    code, out, _ = command("pull", "big", "--yes")
    assert (code, hub.downloads()) == (0, ["config.json", "model.safetensors"])
    assert out.splitlines()[-1] == "big: all weights are here"
    assert "installed" in line(command("list")[1], "big ")
    assert "big: o/big: intact: 2 files, 0.00 GB, at c0ffee000000" in command("verify")[1]
    hub.requests.clear()
    assert command("pull", "big") == (0, "big: all weights are here\n", "")
    assert hub.requests == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_a_pull_that_is_killed_goes_on_where_it_was(command: Command, hub: FakeHub, tmp_path: Path) -> None:
    large = bytes(range(256)) * 46_000  # more than the 10 MB in which the hub's library writes
    hub.files["o/big"]["model.safetensors"] = large
    hub.stall_after, hub.release = {"model.safetensors": 11_000_000}, threading.Event()
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
    }
    words = [sys.executable, "-m", "engine", "models", "pull", "big", "--yes", "--models", str(tmp_path / "more.yaml")]
    killed = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
    assert "to pull" in line(command("list")[1], "big ")
    assert command("pull", "big", "--yes")[0] == 0
    (wanted,) = (wanted for _, path, _, wanted in hub.requests if path.endswith("model.safetensors"))
    assert int(wanted.removeprefix("bytes=").removesuffix("-")) > 0
    assert command("verify", "big")[0] == 0


def test_damage_is_found_and_mended(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "--yes")
    (file,) = (tmp_path / "home" / "weights" / "snapshots").rglob("model.safetensors")
    file.write_bytes(b"87654321" * 500)
    code, out, _ = command("verify", "big")
    assert code == 4
    assert "corrupt: model.safetensors has a wrong SHA-256; python -m engine models pull big" in out
    assert command("pull", "big", "--yes")[0] == 0
    assert command("verify", "big")[0] == 0


def test_a_profile_stands_for_the_best_of_its_picks_and_what_is_still_needed_is_said(
    command: Command, hub: FakeHub
) -> None:
    code, out, _ = command("pull", "great", "--yes")
    assert code == 0
    assert set(hub.downloads()) == {"config.json", "model.safetensors", "lora.safetensors"}
    assert 'still needed: pip install "story-engine[gpu]"' in out


def test_what_others_share_is_kept(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "sibling", "--yes")
    code, out, _ = command("rm", "sibling")
    assert code == 0
    assert "sibling: o/big is kept for big" in out
    assert "installed" in line(command("list")[1], "big ")
    assert "to pull: 100 MB" in line(command("list")[1], "sibling ")
    command("rm", "big", "sibling")
    assert not list((tmp_path / "home" / "weights").rglob("*.safetensors"))


def test_what_no_model_names_any_more_is_told_and_removed(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "--yes")
    (tmp_path / "more.yaml").write_text("models: {}")
    assert "no model uses o/big" in command("list")[1]
    command("rm", "--unused")
    assert not list((tmp_path / "home" / "weights").rglob("*.safetensors"))
    assert "no model uses" not in command("list")[1]


def test_weights_of_ones_own_are_locked_where_they_lie_and_stay_when_the_model_goes(
    command: Command, tmp_path: Path
) -> None:
    code, _, err = command("pull", "mine", "--yes")
    assert code == 4
    assert "does not exist; put the files there" in err
    own = tmp_path / "home" / "weights" / "mine"
    own.mkdir(parents=True)
    (own / "model.safetensors").write_bytes(b"12345678")
    code, out, _ = command("pull", "mine", "--yes")
    assert code == 0
    assert "file:mine is hashed and locked in place" in out
    assert "installed" in line(command("list")[1], "mine ")
    assert command("rm", "mine")[1].splitlines()[0] == "mine: file:mine: local folder, files kept"
    assert (own / "model.safetensors").is_file()
    assert "to pull" in line(command("list")[1], "mine ")


def test_a_folder_with_a_repository_of_each_name_serves_without_a_network(
    command: Command, hub: FakeHub, tmp_path: Path
) -> None:
    for repo, files in hub.files.items():
        for name, content in files.items():
            (tmp_path / "stick" / repo).mkdir(parents=True, exist_ok=True)
            (tmp_path / "stick" / repo / name).write_bytes(content)
    code, out, _ = command("pull", "sibling", "--yes", "--offline", "--from", tmp_path / "stick")
    assert code == 0
    assert "not compared with the hub" in out
    assert hub.requests == []


def test_of_a_folder_with_files_of_one_repository_no_second_one_is_taken(
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


def test_what_would_be_shared_is_not_kept_for_a_model_that_is_not_here(command: Command, tmp_path: Path) -> None:
    command("pull", "big", "--yes")  # sibling would want the same, and a LoRA that was never pulled
    assert command("rm", "big")[1].splitlines()[0] == "big: o/big: deleted"
    assert not list((tmp_path / "home" / "weights").rglob("*.safetensors"))


def test_what_needs_no_weights_and_what_is_not_here_is_said(command: Command) -> None:
    assert command("pull", "sharpen") == (0, "sharpen: no weights are needed\n", "")
    assert command("rm", "big")[1].splitlines()[0] == "big: o/big: not downloaded"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pull", "bog"), 2, 'no model or profile "bog" in models.yaml; did you mean "big"?'),
        (("pull", "big", "--from", "/no/such/folder"), 2, "neither an address nor a folder"),
        (("pull", "big", "--offline"), 4, "o/big is not in the local hub cache"),
        (("pull", "big", "--from", "http://127.0.0.1:9"), 4, "o/big: http://127.0.0.1:9 is unreachable"),
        (("pull", "big", "--from", "http://127.0.0.1:9"), 4, "big (13 GB; OpenRAIL++-M) cannot be downloaded: "),
        (("pull", "zzz"), 2, 'no model or profile "zzz" in models.yaml; `python -m engine models list` shows all'),
        (("rm",), 2, "name a model, or say --unused"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    command: Command, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, _, err = command(*arguments)
    assert (found, len(err.splitlines())) == (code, 1)
    assert message in err


def test_a_gated_model_names_the_page(command: Command, hub: FakeHub) -> None:
    hub.gated = True
    code, _, err = command("pull", "big", "--yes")
    assert code == 4
    assert f"accept its licence at {hub.url}/o/big" in err.replace("https://huggingface.co", hub.url)


def test_too_little_room_is_said_before_anything_is_downloaded(
    command: Command, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.models.manager.ModelManager.free_bytes", lambda self: 1000)
    code, _, err = command("pull", "big", "--yes")
    assert code == 4
    assert "set ENGINE_HOME to a folder on a larger disk" in err
    assert hub.downloads() == []


def test_an_interpreter_of_its_own_is_shown_and_made(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = '  apart: {family: "a:B", kinds: [enhance], env: {python: "3.99", requires: [x==1]}}\n'
    (tmp_path / "more.yaml").write_text(CATALOG.replace("profiles:", entry + "profiles:"))
    assert "to pull: an environment of its own" in line(command("list")[1], "apart ")
    made: list[object] = []
    monkeypatch.setattr(
        environments, "create", lambda home, environment, offline: made.append((home, environment.requires))
    )
    code, out, _ = command("pull", "apart", "--yes")
    assert code == 0
    assert "apart: an interpreter of its own, Python 3.99 with x==1" in out
    assert made == [(tmp_path / "home" / "weights", ("x==1",))]


def test_models_are_listed_with_what_they_can_and_whether_they_fit(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = command("list")[1]
    assert "9 GB; none here" in line(out, "big ")
    assert "yes" in line(out, "illustrator ")
    assert line(out, "profile great") == "profile great: the best [needs a GPU with at least 23 GB, none is here]"
    assert "for what is to pull: python -m engine models pull MODEL (or PROFILE)" in out
    monkeypatch.setattr("engine.execution.devices._nvidia_gpus", lambda: [("GPU-a", 24_000)])
    assert "9 GB; fits" in line(command("list")[1], "big ")

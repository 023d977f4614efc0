"""Weights on this machine: what was pulled is found without reading it, and nothing is loaded that is not what was pulled."""

import os
import time
from pathlib import Path

import pytest

from pipelines.base import Kind, MissingDependency, ModelSpec, Weights
from pipelines.models import catalog, weights
from pipelines.models.weights import CorruptWeights, Lock, WeightStore, select_files, verified_folder
from tests.fixtures.weighted import spec


@pytest.fixture
def model(tmp_path: Path) -> ModelSpec:
    place = tmp_path / "model"
    (place / "vae").mkdir(parents=True)
    (place / "model_index.json").write_text("{}")
    (place / "vae" / "model.safetensors").write_bytes(b"12345678" * 1000)
    return spec("tests.fixtures.families:Echo", place, kinds=(Kind.ENHANCE,))


def touched(path: Path, content: bytes) -> None:
    """Other bytes of the same size, at a later time."""
    assert len(content) == path.stat().st_size
    path.write_bytes(content)
    later = time.time_ns() + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_a_family_gets_the_folder_with_its_files(model: ModelSpec) -> None:
    assert (verified_folder(model) / "vae" / "model.safetensors").is_file()


def test_what_was_never_pulled_is_missing_and_the_message_says_how_to_mend_it() -> None:
    never = ModelSpec(
        name="big",
        family="a:B",
        kinds=(Kind.ANIMATE,),
        licence="Apache-2.0",
        weights={"model": Weights(repo="o/n", gb=13)},
    )
    with pytest.raises(
        MissingDependency, match=r"big: not downloaded \(13 GB, Apache-2.0\); python -m engine models pull big"
    ):
        verified_folder(never)
    with pytest.raises(MissingDependency, match='has no weights "lora"'):
        verified_folder(never, "lora")


def test_other_bytes_of_the_same_size_are_never_loaded(model: ModelSpec) -> None:
    touched(verified_folder(model) / "vae" / "model.safetensors", b"87654321" * 1000)
    with pytest.raises(
        CorruptWeights, match=r"model.safetensors has a wrong SHA-256.*python -m engine models pull tiny"
    ):
        verified_folder(model)


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_cut_and_lost_files_are_never_loaded(model: ModelSpec, harm: str) -> None:
    file = verified_folder(model) / "vae" / "model.safetensors"
    file.unlink() if harm == "gone" else os.truncate(file, 100)
    with pytest.raises(CorruptWeights, match=r"vae/model\.safetensors"):
        verified_folder(model)


def test_a_file_that_was_not_there_then_is_not_loaded(model: ModelSpec) -> None:
    (verified_folder(model) / "vae" / "config.json").write_text("{}")
    with pytest.raises(CorruptWeights, match=r"vae/config.json is not in the lock"):
        verified_folder(model)


def test_files_are_hashed_again_only_when_they_were_written_to(
    model: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = weights.sha256_of
    monkeypatch.setattr(weights, "sha256_of", lambda path: hashed.append(path.name) or real(path))
    verified_folder(model)
    assert hashed == []
    file = verified_folder(model) / "vae" / "model.safetensors"
    touched(file, file.read_bytes())
    verified_folder(model)
    verified_folder(model)
    assert hashed == ["model.safetensors"]  # found true once, and noted


def test_a_shelf_finds_what_was_locked_and_nothing_else(model: ModelSpec, tmp_path: Path) -> None:
    known = model.model_copy(update={"weights": {"model": Weights(repo=model.weights["model"].repo)}})
    other = known.model_copy(update={"name": "other", "weights": {"model": Weights(repo="owner/other")}})
    models = catalog.with_weights(
        catalog.Catalog(models={"tiny": known, "other": other}), WeightStore(tmp_path / "shelf")
    ).models
    assert models["tiny"].weights == model.weights
    assert models["other"].weights["model"].folder == ""
    (verified_folder(model) / "model_index.json").unlink()
    assert WeightStore(tmp_path / "shelf").resolve_spec(known).weights["model"].folder == ""


def test_the_digest_says_what_the_files_hold_not_where_they_lie(tmp_path: Path) -> None:
    digests = []
    for name, content in (("one", b"a"), ("two", b"a"), ("three", b"b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
        digests.append(spec("a:B", tmp_path / name, kinds=(Kind.SCORE,)).weights["model"].digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_shelf_may_be_moved_to_another_place(tmp_path: Path) -> None:
    (tmp_path / "one" / "mine").mkdir(parents=True)
    (tmp_path / "one" / "mine" / "model.safetensors").write_bytes(b"a")
    asked = Weights(repo="file:mine")
    WeightStore(tmp_path / "one").lock_folder(asked, tmp_path / "one" / "mine")
    (tmp_path / "one").rename(tmp_path / "two")
    moved = ModelSpec(name="m", family="a:B", kinds=(Kind.SCORE,), weights={"model": asked})
    assert verified_folder(WeightStore(tmp_path / "two").resolve_spec(moved)) == tmp_path / "two" / "mine"


def test_a_folder_without_weights_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "pickle.bin").write_bytes(b"")
    with pytest.raises(MissingDependency, match="no weight files found"):
        WeightStore(tmp_path / "shelf").lock_folder(Weights(repo="file:x"), tmp_path)


def test_a_lock_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text('{"repo": 1')
    assert Lock.read(tmp_path / "lock.json") is None


FLUX = [
    "model_index.json",
    "flux.safetensors",
    "vae/x.safetensors",
    "vae/x.fp16.safetensors",
    "vae/config.json",
    "README.md",
]
LLM = [
    "config.json",
    "model.safetensors.index.json",
    "model-1.safetensors",
    "consolidated.safetensors",
    "tokenizer.model",
]


@pytest.mark.parametrize(
    ("names", "patterns", "found"),
    [
        (FLUX, (), {"model_index.json", "vae/x.safetensors", "vae/config.json"}),
        (FLUX, ("*.safetensors",), {"flux.safetensors"}),
        (FLUX, ("**/*.fp16.safetensors",), {"vae/x.fp16.safetensors"}),
        (LLM, (), {"config.json", "model.safetensors.index.json", "model-1.safetensors", "tokenizer.model"}),
        (["unet/x.fp16.safetensors"], (), {"unet/x.fp16.safetensors"}),
        (["m.bin", "m.pth", "m.pt", "m.ckpt", "m.py", "m.pkl", "m.so", ".cache/x.json", ".git/y.txt"], (), set()),
        (["m.bin", "m.py"], ("*",), set()),
        (["voices/a.bin", "m.bin", "m.pth", "m.py"], ("voices/*.bin",), {"voices/a.bin"}),
    ],
)  # fmt: skip
def test_only_what_can_be_loaded_and_holds_no_code_is_wanted(
    names: list[str], patterns: tuple[str, ...], found: set[str]
) -> None:
    assert select_files(names, patterns) == found

"""Pulling weights from a hub that does what hubs do: it breaks off, sends other bytes, is gated, is gone. Nothing of it
is ever taken for whole, and nothing that has arrived is asked for twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from pipelines.base import Kind, MissingDependency, ModelSpec, Weights
from pipelines.models.download import Download, remove
from pipelines.models.sources import Hub, HubCache, HubUnreachable, HubWithFolder, LocalFolder
from pipelines.models.weights import CorruptWeights, WeightStore, verified_folder
from tests.fixtures.hub import COMMIT, FakeHub, serve

BIG = bytes(range(256)) * 46_000
"""11.8 MB: more than the piece of 10 MB in which the hub's library takes a file off the network."""
VAE = "vae/model.safetensors"
ASKED = Weights(repo="o/big")


@pytest.fixture(autouse=True)
def nobody_in_particular(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no cache and no setting of whoever runs this."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    files = {
        "model_index.json": b"{}",
        VAE: BIG,
        "vae/config.json": b'{"a": 1}',
        "vae/pickle.bin": b"x",
        "run.py": b"x",
    }
    with serve(FakeHub({"o/big": files})) as running:
        yield running


@pytest.fixture
def shelf(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "shelf")


def pull(
    shelf: WeightStore, source: Hub | HubCache | LocalFolder | HubWithFolder, weights: Weights = ASKED, commit: str = ""
) -> Weights:
    return Download(shelf, weights, source.list_files(weights, commit), source).run()


def loaded(weights: Weights) -> Path:
    """What a family would load."""
    return verified_folder(ModelSpec(name="big", family="a:B", kinds=(Kind.ANIMATE,), weights={"model": weights}))


def files_of(place: Path) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def environment_names(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does when it is set before the library is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")


def nothing_is_loaded(shelf: WeightStore) -> bool:
    return (
        shelf.resolve_spec(ModelSpec(name="big", family="a:B", kinds=(Kind.ANIMATE,), weights={"model": ASKED}))
        .weights["model"]
        .folder
        == ""
        and not (shelf.home / "snapshots").exists()
    )


def test_what_is_needed_and_nothing_else_comes_with_its_commit_and_digests(hub: FakeHub, shelf: WeightStore) -> None:
    place = loaded(pull(shelf, Hub(hub.url)))
    assert files_of(place) == {"model_index.json", VAE, "vae/config.json"}
    assert (place / VAE).read_bytes() == BIG
    (lock,) = shelf.locks().values()
    assert (lock.commit, lock.revision) == (COMMIT, "main")
    assert not list((shelf.home / "partial").iterdir())


def test_sizes_and_the_licence_are_known_before_anything_is_downloaded(hub: FakeHub, shelf: WeightStore) -> None:
    listing = Hub(hub.url).list_files(ASKED)
    assert (listing.size, listing.licence) == (len(BIG) + 2 + 8, "apache-2.0")
    assert Download(shelf, ASKED, listing, Hub(hub.url)).missing_bytes() == listing.size
    assert hub.downloads() == []


def test_a_download_that_is_cut_goes_on_where_it_ended(hub: FakeHub, shelf: WeightStore) -> None:
    hub.cut_after[VAE] = 11_000_000
    hub.status_after_cut = 503
    with pytest.raises(HubUnreachable, match="run the command again to resume"):
        pull(shelf, Hub(hub.url))
    assert nothing_is_loaded(shelf)
    hub.cut_after.clear()
    hub.status_after_cut = None
    hub.requests.clear()
    assert (loaded(pull(shelf, Hub(hub.url))) / VAE).read_bytes() == BIG
    assert hub.downloads() == [VAE]  # the small files were whole
    assert [wanted for _, path, _, wanted in hub.requests if path.endswith(VAE)] == ["bytes=10485760-"]


def test_other_bytes_of_the_same_size_are_refused_and_not_kept(hub: FakeHub, shelf: WeightStore) -> None:
    hub.replaced[VAE] = bytes(len(BIG))
    with pytest.raises(CorruptWeights, match=r"vae/model\.safetensors failed verification \(its SHA-256 differs\)"):
        pull(shelf, Hub(hub.url))
    assert nothing_is_loaded(shelf)
    assert VAE not in "".join(files_of(shelf.home))
    hub.replaced.clear()
    assert loaded(pull(shelf, Hub(hub.url)))


def test_small_files_are_compared_too(hub: FakeHub, shelf: WeightStore) -> None:
    hub.replaced["vae/config.json"] = b'{"a": 2}'
    with pytest.raises(CorruptWeights, match="its git hash differs"):
        pull(shelf, Hub(hub.url))
    assert nothing_is_loaded(shelf)


def test_a_begun_file_with_wrong_bytes_is_fetched_anew(hub: FakeHub, shelf: WeightStore) -> None:
    listing = Hub(hub.url).list_files(ASKED)
    begun = shelf.home / "partial" / f"{shelf.lock_path(ASKED).stem}-{COMMIT[:12]}" / f"{VAE}.begun"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"wrong" * 100)
    assert (loaded(Download(shelf, ASKED, listing, Hub(hub.url)).run()) / VAE).read_bytes() == BIG


def test_a_gated_repository_names_the_page_and_the_setting(hub: FakeHub, shelf: WeightStore) -> None:
    hub.gated = True
    with pytest.raises(
        MissingDependency, match=rf"o/big is gated: accept its licence at {hub.url}/o/big, then set HF_TOKEN"
    ):
        pull(shelf, Hub(hub.url))
    assert nothing_is_loaded(shelf)


def test_a_token_goes_to_the_hub_of_the_environment_alone(
    hub: FakeHub, shelf: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    hub.gated = True
    with pytest.raises(MissingDependency, match="gated"):
        pull(shelf, Hub(hub.url))
    assert {token for _, _, token, _ in hub.requests} == {""}  # a mirror that was named for this pull
    environment_names(hub, monkeypatch)
    assert loaded(pull(shelf, Hub()))
    assert "Bearer hf_good" in {token for _, _, token, _ in hub.requests}


def test_a_token_does_not_follow_to_another_host(
    hub: FakeHub, shelf: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    environment_names(hub, monkeypatch)
    with serve(FakeHub(hub.files)) as elsewhere:
        hub.redirect_to = elsewhere.url.replace("127.0.0.1", "localhost")
        assert loaded(pull(shelf, Hub()))
        assert elsewhere.downloads()
        assert {token for _, _, token, _ in elsewhere.requests} == {""}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (Weights(repo="o/none"), "has no repository o/none"),
        (Weights(repo="o/big", revision="v9"), "o/big: .* has no such revision"),
        (Weights(repo="o/big", files=("nothing/*",)), "no loadable files"),
        (Weights(repo="o/big", files=("*.json", "vae/config.json")), "no loadable files"),
        (Weights(repo="o/big", files=("vae/*", "other.json")), r"has no other\.json, which models\.yaml names"),
    ],
)
def test_what_the_hub_does_not_have_is_said(hub: FakeHub, weights: Weights, message: str) -> None:
    with pytest.raises(MissingDependency, match=message):
        Hub(hub.url).list_files(weights)


def test_a_hub_that_is_down_is_named_with_what_can_be_done(hub: FakeHub) -> None:
    with serve(FakeHub({})) as gone:
        url = gone.url
    with pytest.raises(HubUnreachable, match=rf"{url} is unreachable .* --from FOLDER"):
        Hub(url).list_files(ASKED)


def test_a_hub_that_names_a_file_elsewhere_is_refused(hub: FakeHub) -> None:
    hub.files["o/big"]["/etc/x.safetensors"] = b"x"
    with pytest.raises(MissingDependency, match="outside its folder"):
        Hub(hub.url).list_files(ASKED)


def test_damage_on_the_shelf_is_mended_from_the_same_commit(hub: FakeHub, shelf: WeightStore) -> None:
    pulled = pull(shelf, Hub(hub.url))
    (Path(pulled.folder) / VAE).write_bytes(bytes(len(BIG)))
    with pytest.raises(CorruptWeights):
        loaded(pulled)
    hub.requests.clear()
    listing = Hub(hub.url).list_files(ASKED, COMMIT)
    assert Download(shelf, ASKED, listing, Hub(hub.url)).missing_bytes() >= len(BIG)
    assert (loaded(pull(shelf, Hub(hub.url), commit=COMMIT)) / VAE).read_bytes() == BIG
    assert hub.downloads().count(VAE) == 1


def test_a_newer_commit_takes_the_place_of_the_older(hub: FakeHub, shelf: WeightStore) -> None:
    older = pull(shelf, Hub(hub.url))
    hub.commit = "c0ffee" + "2" * 34
    hub.files["o/big"]["vae/config.json"] = b'{"a": 3}'
    hub.requests.clear()
    newer = pull(shelf, Hub(hub.url))
    assert hub.downloads() == ["model_index.json", "vae/config.json"]  # the large file is the same
    assert older.digest != newer.digest
    assert not Path(older.folder).exists()
    assert (loaded(newer) / "vae/config.json").read_bytes() == b'{"a": 3}'


def test_bytes_that_another_model_has_are_not_downloaded_and_stay_when_that_goes(
    hub: FakeHub, shelf: WeightStore
) -> None:
    pull(shelf, Hub(hub.url))
    hub.requests.clear()
    part = Weights(repo="o/big", files=("vae/*",))
    pulled = pull(shelf, Hub(hub.url), part)
    assert hub.downloads() == ["vae/config.json"]
    assert remove(shelf, ASKED) < len(BIG)
    assert (loaded(pulled) / VAE).read_bytes() == BIG
    assert remove(shelf, part) > len(BIG)
    assert not shelf.locks()


def test_two_pulls_of_the_same_do_not_meet(hub: FakeHub, shelf: WeightStore) -> None:
    hub.release = threading.Event()
    listing = Hub(hub.url).list_files(ASKED)
    first = threading.Thread(target=Download(shelf, ASKED, listing, Hub(hub.url)).run)
    first.start()
    while not hub.downloads():
        pass
    with pytest.raises(MissingDependency, match="being downloaded by another process"):
        Download(shelf, ASKED, listing, Hub(hub.url)).run()
    hub.release.set()
    first.join()
    assert shelf.locks()


class TestWithoutAHub:
    """The cache of the hub's library, and folders."""

    @pytest.fixture
    def cached(self, hub: FakeHub, tmp_path: Path) -> Path:
        """A cache that the hub's own library has filled."""
        for name in hub.files["o/big"]:
            huggingface_hub.hf_hub_download("o/big", name, endpoint=hub.url, cache_dir=tmp_path / "cache")
        hub.requests.clear()
        return tmp_path / "cache"

    def test_the_cache_of_the_library_serves_without_asking_anybody(
        self, hub: FakeHub, cached: Path, shelf: WeightStore
    ) -> None:
        pulled = pull(shelf, HubCache(cached))
        assert (loaded(pulled) / VAE).read_bytes() == BIG
        assert [lock.commit for lock in shelf.locks().values()] == [COMMIT]
        assert hub.requests == []

    def test_bytes_in_the_cache_are_not_downloaded(self, hub: FakeHub, cached: Path, shelf: WeightStore) -> None:
        listing = Hub(hub.url).list_files(ASKED)
        assert Download(shelf, ASKED, listing, Hub(hub.url)).missing_bytes() == 0
        assert loaded(pull(shelf, Hub(hub.url)))
        assert hub.downloads() == []

    def test_a_damaged_cache_is_not_used(self, hub: FakeHub, cached: Path, shelf: WeightStore) -> None:
        (blob,) = (path for path in cached.rglob("blobs/*") if path.stat().st_size == len(BIG))
        blob.write_bytes(bytes(len(BIG)))
        with pytest.raises(MissingDependency, match="in the local hub cache is corrupt"):
            pull(shelf, HubCache(cached))
        assert nothing_is_loaded(shelf)
        assert (loaded(pull(shelf, Hub(hub.url))) / VAE).read_bytes() == BIG

    def test_an_empty_cache_says_what_can_be_done(self, tmp_path: Path) -> None:
        with pytest.raises(MissingDependency, match=r"not in the local hub cache.* --from FOLDER"):
            HubCache(tmp_path / "cache").list_files(ASKED)

    def test_a_folder_saves_the_download_of_what_it_holds(
        self, hub: FakeHub, shelf: WeightStore, tmp_path: Path
    ) -> None:
        (tmp_path / "stick" / "vae").mkdir(parents=True)
        (tmp_path / "stick" / VAE).write_bytes(BIG)
        (tmp_path / "stick" / "vae" / "config.json").write_bytes(b'{"a": 9}')  # not what the hub states
        assert loaded(pull(shelf, HubWithFolder(Hub(hub.url), LocalFolder(tmp_path / "stick"))))
        assert hub.downloads() == ["model_index.json", "vae/config.json"]

    def test_a_folder_alone_is_locked_as_it_is_and_the_user_is_told(self, shelf: WeightStore, tmp_path: Path) -> None:
        (tmp_path / "stick").mkdir()
        (tmp_path / "stick" / "model.safetensors").write_bytes(b"12345678")
        with serve(FakeHub({})) as gone:
            source = HubWithFolder(Hub(gone.url), LocalFolder(tmp_path / "stick"))
        listing = source.list_files(ASKED)
        assert "not compared with the hub" in listing.note
        place = loaded(Download(shelf, ASKED, listing, source).run())
        assert place.is_relative_to(shelf.home)
        assert (place / "model.safetensors").read_bytes() == b"12345678"

    def test_a_folder_without_weights_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(
            MissingDependency,
            match=r"o/big: .* has no weights .*; it must hold the files of that repository, or have them in o/big below it",
        ):
            LocalFolder(tmp_path / "none").list_files(ASKED)

    @pytest.mark.parametrize(
        ("lost", "patterns", "said"),
        [
            ("text/model-2.safetensors", (), r"lacks text/model-2\.safetensors; copy the whole repository"),
            ("vae/model.safetensors", (), "lacks vae/; copy the whole repository"),
            ("vae/model.safetensors", ("*.json", "text/*"), ""),
            ("tokenizer.json", ("tokenizer.json", "text/*"), r"lacks tokenizer\.json"),
            ("README.md", (), ""),
        ],
    )
    def test_a_folder_that_was_copied_in_part_is_refused(
        self, tmp_path: Path, lost: str, patterns: tuple[str, ...], said: str
    ) -> None:
        files = {
            "README.md": "",
            "model_index.json": '{"_class_name": "P", "text": ["transformers", "T"], "vae": ["diffusers", "V"], "none": [null, null]}',
            "text/model.safetensors.index.json": '{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}',
            "text/model-1.safetensors": "1",
            "text/model-2.safetensors": "2",
            "tokenizer.json": "{}",
            "vae/model.safetensors": "3",
        }
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
        (tmp_path / lost).unlink()
        asked = Weights(repo="o/big", files=patterns)
        if said:
            with pytest.raises(MissingDependency, match=said):
                LocalFolder(tmp_path).list_files(asked)
        else:
            assert LocalFolder(tmp_path).list_files(asked).files

    def test_settings_without_weights_are_none(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(MissingDependency, match="has no weights"):
            LocalFolder(tmp_path).list_files(ASKED)

    def test_what_the_hub_said_is_not_lost_where_the_folder_cannot_help(self, hub: FakeHub, tmp_path: Path) -> None:
        with pytest.raises(MissingDependency, match=r"has no repository o/none.*\. o/none: .* has no weights"):
            HubWithFolder(Hub(hub.url), LocalFolder(tmp_path)).list_files(Weights(repo="o/none"))


@pytest.mark.skipif(not hasattr(os, "link"), reason="this system has no hard links")
def test_files_of_this_machine_are_linked_not_copied(hub: FakeHub, shelf: WeightStore, tmp_path: Path) -> None:
    (tmp_path / "stick" / "vae").mkdir(parents=True)
    (tmp_path / "stick" / VAE).write_bytes(BIG)
    place = loaded(pull(shelf, HubWithFolder(Hub(hub.url), LocalFolder(tmp_path / "stick"))))
    assert (place / VAE).stat().st_ino == (tmp_path / "stick" / VAE).stat().st_ino

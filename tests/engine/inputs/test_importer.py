"""Files that a story names are in the store, and needed, before anything is made of them."""

import threading

import pytest

from engine.execution.errors import RunCancelled
from engine.inputs.importer import PAGE_NOT_READ, InputImporter
from engine.storage.artifact_store import ArtifactStore
from engine.story.model import Brief, InputFile, StoryError


@pytest.fixture
def store(tmp_path):
    with ArtifactStore(tmp_path / "store") as store:
        yield store


def brief(*sources, **more):
    return Brief(idea="A hill", pictures=tuple(InputFile(source=source) for source in sources), **more)


def test_each_file_is_kept_as_soon_as_it_is_there(store, tmp_path):
    (tmp_path / "one.png").write_bytes(b"one")
    kept = []
    with pytest.raises(StoryError, match=r'^image_urls\[1\]: file "two.png" not found'):
        InputImporter(store, retain=kept.append).import_inputs(brief("one.png", "two.png"), tmp_path)
    assert [store.path(digest).read_bytes() for digest in kept] == [b"one"]


def test_what_has_a_digest_is_not_read_again(store, tmp_path):
    output = store.put_bytes(b"one", "given")
    told = Brief(idea="A hill", pictures=(InputFile(source="gone.png", digest=output.digest),))
    kept = []
    assert InputImporter(store, retain=kept.append).import_inputs(told, None) == (told, ())
    assert kept == [output.digest]


def test_no_file_of_this_machine_is_read_for_somebody_elsewhere(store):
    with pytest.raises(StoryError, match=r"^image_urls\[0\]: is not an http\(s\) URL$"):
        InputImporter(store).import_inputs(brief("/etc/hostname"), None)


def test_a_page_that_cannot_be_had_is_left_out_and_that_is_said(store, tmp_path):
    told, (warning,) = InputImporter(store).import_inputs(brief(page=InputFile(source="page.html")), tmp_path)
    assert told.page is None
    assert warning.startswith(f'{PAGE_NOT_READ}: page: file "page.html" not found')


def test_nothing_of_a_fetch_that_came_to_nothing_stays(store):
    stop = threading.Event()
    stop.set()
    receiver = InputImporter(store, allow_private=True)
    with pytest.raises(StoryError, match=r"^image_urls\[0\]: is unreachable"):
        receiver.import_inputs(brief("http://127.0.0.1:2/none.png"), None)
    with pytest.raises(RunCancelled):
        receiver.import_inputs(brief("http://127.0.0.1:2/none.png"), None, stop)
    left = [path for path in (store.root / "tmp").rglob("*") if path.name.startswith("work-")]
    assert left == []

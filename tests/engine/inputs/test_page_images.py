"""Pictures of a page: which are tried, what they are called, in which scene they are."""

import json
import threading

import pytest

from engine.execution.errors import RunCancelled
from engine.execution.inline import InlineExecutor
from engine.inputs.fetch import FetchError
from engine.inputs.page_images import MAX_TOTAL_BYTES, SKIPPED_MESSAGE, add_image_objects, fetch_page_images
from engine.schemas import story_requests
from engine.service import Service
from engine.settings import Settings
from engine.storage.artifact_store import Output
from engine.story.model import Element, InputFile, Scene, Story
from pipelines.models import catalog

PAGE = {
    "pictures": [f"https://a.example/{n}.jpg" for n in range(20)],
    "captions": [f"Picture of {n}" for n in range(20)],
}


def story(*prompts, **more):
    return Story(scenes=tuple(Scene(prompt=prompt) for prompt in prompts), **more)


def given(*captions):
    return [(caption, InputFile(source=f"page:{n}", digest=f"{n:064}")) for n, caption in enumerate(captions)]


def test_so_many_are_fetched_as_were_wished_and_twice_as_many_are_tried():
    tried = []

    def fetch(url, want):
        tried.append(url)
        if len(tried) % 2:
            raise FetchError("bad_status", "404")
        return Output("given", f"{len(tried):064}", 10)

    found, warnings = fetch_page_images(PAGE, 3, fetch)
    assert tried == PAGE["pictures"][:6]
    assert [caption for caption, _ in found] == ["Picture of 1", "Picture of 3", "Picture of 5"]
    assert len(warnings) == 3
    tried.clear()
    assert fetch_page_images(PAGE, 0, fetch) == ([], [])
    assert not tried


def test_together_they_stay_below_a_size():
    limits = []

    def fetch(url, want):
        limits.append(want.limit_bytes)
        return Output("given", f"{len(limits):064}", MAX_TOTAL_BYTES // 2)

    assert len(fetch_page_images(PAGE, 10, fetch)[0]) == 2
    assert max(limits) <= MAX_TOTAL_BYTES // 2 + 25 * 2**20


def test_the_same_picture_is_there_once():
    found, _ = fetch_page_images(PAGE, 3, lambda url, want: Output("given", "0" * 64, 1))
    assert len(found) == 1


def test_each_lies_in_the_scene_that_speaks_of_it():
    told = add_image_objects(
        story("A hill", "The harbour at night", "Oda keeps bees"), given("Bees on a roof", "The old harbour")
    )
    assert [scene.objects for scene in told.scenes] == [(), ("The old harbour",), ("Bees on a roof",)]
    assert [one.reference.source for one in told.objects] == ["page:0", "page:1"]


def test_those_that_nobody_speaks_of_are_spread():
    told = add_image_objects(story("A", "B", "C"), given("x", "y", "z"))
    assert [scene.objects for scene in told.scenes] == [("x",), ("y",), ("z",)]


@pytest.mark.parametrize(
    ("captions", "names"),
    [
        (["", ""], ["Bees", "Bees (2)"]),
        (["A jar", "A jar", "A jar"], ["A jar (1)", "A jar (2)", "A jar (3)"]),
        (["word " * 30], ["word " * 11 + "word"]),
        (["x" * 120], ["x" * 60]),
        (["..."], ["Picture 1"]),
    ],
)
def test_names_are_short_and_no_name_is_there_twice(captions, names):
    told = story("A", title="Bees", objects=(Element(name="A jar"),))
    assert [one.name for one in add_image_objects(told, given(*captions)).objects[1:]] == names


def test_the_words_stay_as_they_were_written():
    told = story("A hill", "A lake")
    after = add_image_objects(told, given("A boat"))
    assert [scene.prompt for scene in after.scenes] == ["A hill", "A lake"]
    Story.model_validate(after.model_dump())


def test_a_saved_page_works_the_same(tmp_path):
    """Nothing listens there: what cannot be had is left out, the story is told all the same."""
    (tmp_path / "page.html").write_text(
        "<html><body><h1>Bees</h1><p>Oda keeps bees on the roof.</p><img src='http://127.0.0.1:9/a.jpg'></body></html>"
    )
    told = story_requests.to_brief("url-2-video", {"idea": "Tell it", "page": "page.html", "page_pictures": 2})
    settings = Settings(tmp_path / "home", tmp_path / "weights")
    with Service(settings, catalog.load(), InlineExecutor()) as service:
        taken, _ = service.import_inputs(told, tmp_path)
        written, warnings = service.write(taken)
        assert "bees" in json.dumps(written.model_dump(mode="json")).lower()
        assert [warning for warning in warnings if warning.startswith(SKIPPED_MESSAGE)]
        stop = threading.Event()
        stop.set()
        with pytest.raises(RunCancelled):
            service.write(taken, stop=stop)

"""Import of a finished film into MoviePy."""

import json

import pytest

from engine.execution.inline import InlineExecutor
from engine.outputs.export import export
from engine.outputs.moviepy import to_moviepy
from engine.schemas import generate_requests
from engine.service import Service
from engine.settings import Settings
from pipelines.base import BadInput
from pipelines.models import catalog

pytest.importorskip("moviepy", reason="the extra `edit` is not installed")


def test_the_clips_are_the_scenes_at_their_start_times_with_the_audio_of_the_film(tmp_path, body):
    body["video"] = {"width": 256, "height": 144, "fps": 8, "transition_seconds": 0.5}
    body["audio"] = {"has_narration": False}
    for scene in body["scenes"]:
        scene["duration"] = 2
    settings = Settings(tmp_path / "home", tmp_path / "weights")
    with Service(settings, catalog.load(), InlineExecutor()) as service:
        result = service.run(generate_requests.to_story(body))
        export(result, service.store, tmp_path / "film", "story")
    timeline = json.loads((tmp_path / "film" / "timeline.json").read_text())
    film = to_moviepy(tmp_path / "film")
    try:
        assert len(film.clips) == 3
        assert [round(clip.start * 8) for clip in film.clips] == [scene["start"] for scene in timeline["scenes"]]
        assert film.duration == pytest.approx(6.0, abs=1 / 8)
        assert film.audio is not None
        assert film.get_frame(3.0).shape == (144, 256, 3)
    finally:
        film.close()


def test_a_folder_without_a_film_is_refused(tmp_path):
    with pytest.raises(BadInput, match="has no finished film"):
        to_moviepy(tmp_path)

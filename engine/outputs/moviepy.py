"""Import of a finished film into MoviePy, for further editing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.outputs.story_record import RECORD_FILE, RecordError, read_record
from pipelines.base import BadInput, MissingDependency

if TYPE_CHECKING:
    from moviepy import CompositeVideoClip


def to_moviepy(folder: Path) -> CompositeVideoClip:
    """Return the film in `folder` (the output folder of `run`) as one composite clip.

    Its `clips` are the scenes at their start times, cross-faded where they overlap; its audio is the film's audio.
    Raises MissingDependency without moviepy and BadInput if the folder has no finished film.
    """
    try:
        from moviepy import CompositeVideoClip, VideoFileClip, vfx
    except ImportError as error:
        raise MissingDependency('editing needs moviepy; pip install "story-engine[edit]"') from error
    try:
        record = read_record(folder / RECORD_FILE)
    except RecordError as error:
        raise BadInput("folder", f"{folder} has no finished film ({error})", "Run the story first.") from error
    timeline, film = record.timeline, record.film
    if timeline is None or film is None:
        raise BadInput("folder", f"{folder} has no finished film", "Run the story to its end first.")
    scenes = []
    for number, scene in enumerate(timeline.scenes, start=1):
        clip = VideoFileClip(str(folder / "clips" / f"scene-{number:02d}.mp4"), audio=False)
        effects = [vfx.CrossFadeIn(scene.timing.head / timeline.fps)] if scene.timing.head else []
        scenes.append(clip.with_start(scene.start / timeline.fps).with_effects(effects))
    composite = CompositeVideoClip(scenes)
    audio = VideoFileClip(str(folder / film)).audio
    return composite.with_audio(audio) if audio else composite

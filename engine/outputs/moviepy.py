"""A finished film as MoviePy clips, for those who want to cut it further with the tool that they know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.base import BadInput, MissingDependency

if TYPE_CHECKING:
    from moviepy import CompositeVideoClip


def to_moviepy(folder: Path) -> CompositeVideoClip:
    """The scenes of the film in `folder` (what `run` wrote) as one composite: its `clips` are the scenes at their places in the film,
    cross-faded where they overlap, its sound is the film's. Raises Missing without moviepy, BadInput for another folder."""
    try:
        from moviepy import CompositeVideoClip, VideoFileClip, vfx
    except ImportError as error:
        raise MissingDependency('editing needs moviepy; pip install "story-engine[edit]"') from error
    record = _load_record(folder)
    timeline = record["timeline"]
    scenes = []
    for number, place in enumerate(timeline["scenes"], start=1):
        clip = VideoFileClip(str(folder / "clips" / f"scene-{number:02d}.mp4"), audio=False)
        head = place["timing"].get("head", 0)
        effects = [vfx.CrossFadeIn(head / timeline["fps"])] if head else []
        scenes.append(clip.with_start(place["start"] / timeline["fps"]).with_effects(effects))
    film = next(file for file in record["files"] if file.endswith(".mp4") and "/" not in file)
    sound = VideoFileClip(str(folder / film)).audio
    composite = CompositeVideoClip(scenes)
    return composite.with_audio(sound) if sound else composite


def _load_record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / "story.json").read_bytes())
        if record["timeline"] and any(file.endswith(".mp4") and "/" not in file for file in record["files"]):
            return record
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise BadInput("folder", f"{folder} holds no finished film", "Run the story first; its folder has a story.json.")

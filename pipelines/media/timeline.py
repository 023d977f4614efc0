"""The timeline of the film in frames: start and length of each scene, and its shares in transitions.

Scenes follow one another, and neighbours overlap by the frames of their transition. The clip of a scene has `frames`
frames: the scene shares the first `head` with the scene before and the last `tail` with the scene after. The frames
between are the segment of the scene. The film has Σ(segment frames) + Σ(transition frames) frames.
"""

from __future__ import annotations

from pydantic import Field

from pipelines.base import Params


class SceneTiming(Params):
    """The frames of one scene's clip. They do not depend on the position of the scene in the film."""

    fps: int = Field(ge=1)
    frames: int = Field(ge=1, description="Frames of the whole clip: head + body + tail.")
    head: int = Field(0, ge=0, description="Frames shared with the scene before.")
    tail: int = Field(0, ge=0, description="Frames shared with the scene after.")

    @property
    def segment_frames(self) -> int:
        """The number of frames outside transitions; at least 1."""
        return self.frames - self.head - self.tail

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


class TimelineScene(Params):
    """The position of a scene in the film."""

    start: int = Field(ge=0, description="Frame of the film at which the clip starts, head included.")
    timing: SceneTiming
    narration: float | None = Field(None, description="Second of the film at which the narration of the scene starts.")
    speech: float = Field(0.0, ge=0, description="Seconds of speech in the scene.")


class Timeline(Params):
    """All scenes of the film in order."""

    fps: int = Field(ge=1)
    scenes: tuple[TimelineScene, ...] = Field(min_length=1)

    @property
    def frames(self) -> int:
        last = self.scenes[-1]
        return last.start + last.timing.frames

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

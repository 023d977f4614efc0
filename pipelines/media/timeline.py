"""Exact frames: when each scene begins, how long it is, and which of its frames belong to transitions.

A film is its scenes one after the other; neighbours overlap by the frames of their transition. A scene's clip has `frames`
frames: `head` of them are shared with the scene before, `tail` with the scene after, the `body` between belongs to it alone.
The film has Σ(body) + Σ(transitions) frames.
"""

from __future__ import annotations

from pydantic import Field

from pipelines.base import Params


class SceneTiming(Params):
    """What one scene's picture depends on: nothing of it moves when another scene grows."""

    fps: int = Field(ge=1)
    frames: int = Field(ge=1, description="Frames of the whole clip: head + body + tail.")
    head: int = Field(0, ge=0, description="Frames shared with the scene before.")
    tail: int = Field(0, ge=0, description="Frames shared with the scene after.")

    @property
    def segment_frames(self) -> int:
        """Frames that belong to this scene alone; at least 1."""
        return self.frames - self.head - self.tail

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


class TimelineScene(Params):
    """Where a scene stands in the film."""

    start: int = Field(ge=0, description="First frame of the clip (its head included), counted in the film.")
    timing: SceneTiming
    narration: float | None = Field(None, description="Second of the film at which the scene's narration begins.")
    speech: float = Field(0.0, ge=0, description="Seconds of speech in the scene.")


class Timeline(Params):
    """The whole film in frames."""

    fps: int = Field(ge=1)
    scenes: tuple[TimelineScene, ...] = Field(min_length=1)

    @property
    def frames(self) -> int:
        last = self.scenes[-1]
        return last.start + last.timing.frames

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

"""Family `TrackLibrary`: arranges the score from the tracks of a package of royalty-free music, by mood."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from pipelines.base import BadInput, Device, Kind, MissingDependency, ModelSpec, Params, Report
from pipelines.media.timeline import Timeline
from pipelines.moods import classify_mood
from pipelines.step_params import ScoreParams

if TYPE_CHECKING:
    from pipelines.music.beats import Stereo

_RATE = 48_000
_INSTALL = 'pip install "story-engine[draft]"'


class TrackLibraryOptions(BaseModel):
    """Options of the track library.

    `package` has the folder `tracks/<mood>/*`. Files of one mood with the same name up to the last `_` have one style
    and tempo and are played in sequence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


class TrackLibrary:
    """Arrangement of shipped tracks: selected by mood and seed, joined on the beat, exactly as long as the film."""

    name: ClassVar[str] = "track-library"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SCORE: ScoreParams}

    def __init__(self, styles: Mapping[str, Mapping[str, tuple[Path, ...]]], credit: str) -> None:
        self._styles, self._credit = styles, credit

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import importlib.util

        options = TrackLibraryOptions.model_validate(spec.options)
        found = importlib.util.find_spec(options.package)
        folder = Path(found.origin).parent / "tracks" if found and found.origin else None
        if folder is None or not folder.is_dir():
            raise MissingDependency(f"no music: the package {options.package} is not installed; {_INSTALL}")
        styles: dict[str, dict[str, tuple[Path, ...]]] = {}
        for path in sorted(folder.glob("*/*.opus")):
            style = path.stem.rpartition("_")[0]
            mood_styles = styles.setdefault(path.parent.name, {})
            mood_styles[style] = (*mood_styles.get(style, ()), path)
        if not styles:
            raise MissingDependency(f"no music: {folder} is empty; {_INSTALL}")
        return cls(styles, "; ".join(spec.credits) or options.package)

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        """The seed chooses among the styles and tracks of the mood."""
        from pipelines.music.arrangement import arrange_tracks

        assert isinstance(params, ScoreParams)
        if not inputs.get("timeline"):
            raise BadInput("timeline", "the score needs the film's timeline.")
        timeline = Timeline.model_validate_json(inputs["timeline"][0].read_text("utf-8"))
        length = (timeline.frames * _RATE + timeline.fps // 2) // timeline.fps
        mood = classify_mood(params.mood, params.prompt, tuple(self._styles))
        tracks = self._select_tracks(mood, seed)
        played_tracks: list[str] = []

        def open_track(name: str) -> Stereo:
            played_tracks.append(name)
            return _decode(tracks[name])

        path = out / "music.wav"
        done = 0
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(_RATE)
            for block in _split_into_seconds(arrange_tracks(tuple(tracks), open_track, length)):
                file.writeframesraw(_to_pcm16(block))
                done += len(block)
                report.progress(done / length, "arranging music")
        report.record(
            mood=mood, tracks=list(dict.fromkeys(played_tracks)), arrangement="shipped tracks", credit=self._credit
        )
        return [path]

    def close(self) -> None:
        self._styles = {}

    def _select_tracks(self, mood: str, seed: int) -> dict[str, Path]:
        """Return the tracks of one style of the mood, in playing order."""
        styles = self._styles[mood]
        every = [(style, index) for style in sorted(styles) for index in range(len(styles[style]))]
        style, first = every[seed % len(every)]
        paths = (*styles[style][first:], *styles[style][:first])
        return {path.stem: path for path in paths}


def _decode(path: Path) -> Stereo:
    import soundfile

    music, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != _RATE or music.shape[1] != 2:
        raise MissingDependency(f"{path.name} is not 48 kHz stereo; {_INSTALL}")
    return music  # type: ignore[no-any-return]  # soundfile has no types


def _split_into_seconds(blocks: Iterator[Stereo]) -> Iterator[Stereo]:
    """Yield the same audio in blocks of at most one second, for regular progress reports."""
    for block in blocks:
        for start in range(0, len(block), _RATE):
            yield block[start : start + _RATE]


def _to_pcm16(block: Stereo) -> bytes:
    import numpy as np

    return np.clip(np.rint(block.astype(np.float64) * 32767.0), -32768, 32767).astype("<i2").tobytes()

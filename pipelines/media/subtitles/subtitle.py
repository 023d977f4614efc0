"""Words with times → subtitles.srt, subtitles.ass, and one ASS per scene for burning in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from pydantic import ValidationError

from pipelines.base import BadInput, Device, Kind, MissingDependency, ModelSpec, Params, Report
from pipelines.media.subtitles.cues import Cue, WordTimings, sanitize_text, segment_cues
from pipelines.media.subtitles.fonts import INSTALL_HINT, select_fonts
from pipelines.media.subtitles.formats import SubtitleFrame, format_ass, format_srt
from pipelines.media.timeline import Timeline, TimelineScene
from pipelines.step_params import LANGUAGES, SubtitleParams


class Subtitler:
    """Cuts narrations into readable cues and sets them in fonts that have every glyph.

    A scene's own ASS depends on that scene alone: nothing of it changes when another scene grows.
    """

    name: ClassVar[str] = "subtitles"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.SUBTITLE: SubtitleParams}

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        return cls()

    @staticmethod
    def checkup() -> Iterable[str]:
        from pipelines.media.subtitles.fonts import font_for_language

        fonts: dict[str, list[str]] = {}
        for language in LANGUAGES:
            try:
                fonts.setdefault(font_for_language(language).file.name, []).append(language)
            except MissingDependency as error:
                yield f"{language}: {error}"
        for file, languages in fonts.items():
            yield f"{file} for {', '.join(languages)}"

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
        assert isinstance(params, SubtitleParams)
        timeline = Timeline.model_validate_json(inputs["timeline"][0].read_bytes())
        spoken = _read_words(timeline, inputs.get("word_timings", ()))
        frame = SubtitleFrame(params.width, params.height)
        film: list[Cue] = []
        missing: set[str] = set()
        made: list[Path] = []
        for number, place in enumerate(timeline.scenes, 1):
            words = spoken.get(number)
            text = "".join(sanitize_text(word.text) for word in words.words) if words else ""
            faces = select_fonts(params.language, text)
            missing |= faces.missing
            clip: list[Cue] = []
            if words is not None and place.narration is not None:
                begin = place.narration - place.start / timeline.fps
                own = segment_cues(
                    words, params.language, frame.measure(faces, params.language), _latest_end(place, words) - begin
                )
                clip = [cue.shifted(begin) for cue in own]
                film += [cue.shifted(place.narration) for cue in own]
            made.append(_write(out / f"scene-{number:03}.ass", format_ass(clip, faces, frame)))
            report.progress(number / len(timeline.scenes))
        film = _without_overlap(film)
        whole = select_fonts(params.language, "".join(line for cue in film for line in cue.lines))
        if missing:
            report.warn(
                f"No font shows {' '.join(sorted(missing))}; these characters are left out of the picture. {INSTALL_HINT}"
            )
        report.record(
            cues=len(film), fonts=[f"{face.family.removeprefix('Film ')} ({face.file.name})" for face in whole.faces]
        )
        return [
            _write(out / "subtitles.srt", format_srt(film)),
            _write(out / "subtitles.ass", format_ass(film, whole, frame)),
            *made,
        ]

    def close(self) -> None:
        """Nothing is held."""


def _read_words(timeline: Timeline, files: Sequence[Path]) -> dict[int, WordTimings]:
    """The words of each narrated scene, by the scene's number. Raises BadInput when files and timeline do not match."""
    narrated = [number for number, place in enumerate(timeline.scenes, 1) if place.narration is not None]
    if len(narrated) != len(files):
        raise BadInput("word_timings", f"{len(files)} files for {len(narrated)} narrated scenes")
    try:
        return {n: WordTimings.model_validate_json(file.read_bytes()) for n, file in zip(narrated, files, strict=True)}
    except ValidationError as error:
        raise BadInput(
            "word_timings", "a word_timings.json is not as it should be", str(error.errors()[0]["msg"])
        ) from None


def _latest_end(place: TimelineScene, words: WordTimings) -> float:
    """Second of the clip by which the text must be gone: before the transition, unless the speech goes on into it."""
    timing = place.timing
    quiet = (timing.frames - timing.tail) / timing.fps
    spoken = (place.narration or 0.0) - place.start / timing.fps + words.seconds
    return min(max(quiet, spoken), timing.seconds)


def _without_overlap(film: list[Cue]) -> list[Cue]:
    """The cues of all scenes, none of them longer than until the next begins."""
    starts = [*(cue.start for cue in film[1:]), float("inf")]
    return [Cue(cue.start, min(cue.end, following), cue.lines) for cue, following in zip(film, starts, strict=True)]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8", newline="\n")
    return path

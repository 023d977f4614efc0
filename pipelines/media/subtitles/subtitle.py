"""The subtitles of a film from timed words: SRT and ASS of the film, and an ASS per scene for burning in."""

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
    """Family for `subtitle`: segments narrations into cues and selects fonts that cover them.

    The ASS file of a scene does not depend on other scenes.
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
        narrations = _read_words(timeline, inputs.get("word_timings", ()))
        frame = SubtitleFrame(params.width, params.height)
        film_cues: list[Cue] = []
        missing: set[str] = set()
        scene_files: list[Path] = []
        for number, scene in enumerate(timeline.scenes, 1):
            words = narrations.get(number)
            text = "".join(sanitize_text(word.text) for word in words.words) if words else ""
            fonts = select_fonts(params.language, text)
            missing |= fonts.missing
            scene_cues: list[Cue] = []
            if words is not None and scene.narration is not None:
                offset = scene.narration - scene.start / timeline.fps
                deadline = _latest_end(scene, words) - offset
                cues = segment_cues(words, params.language, frame.measure(fonts, params.language), deadline)
                scene_cues = [cue.shifted(offset) for cue in cues]
                film_cues += [cue.shifted(scene.narration) for cue in cues]
            scene_files.append(_write(out / f"scene-{number:03}.ass", format_ass(scene_cues, fonts, frame)))
            report.progress(number / len(timeline.scenes))
        film_cues = _without_overlap(film_cues)
        film_fonts = select_fonts(params.language, "".join(line for cue in film_cues for line in cue.lines))
        if missing:
            report.warn(
                f"no font has the characters {' '.join(sorted(missing))}; "
                f"the burned-in subtitles omit them. {INSTALL_HINT}"
            )
        report.record(
            cues=len(film_cues),
            fonts=[f"{face.family.removeprefix('Film ')} ({face.file.name})" for face in film_fonts.faces],
        )
        return [
            _write(out / "subtitles.srt", format_srt(film_cues)),
            _write(out / "subtitles.ass", format_ass(film_cues, film_fonts, frame)),
            *scene_files,
        ]

    def close(self) -> None:
        """Do nothing: the family holds no resources."""


def _read_words(timeline: Timeline, files: Sequence[Path]) -> dict[int, WordTimings]:
    """Return the words of each narrated scene by number (from 1). Raises BadInput when files and timeline differ."""
    narrated = [number for number, scene in enumerate(timeline.scenes, 1) if scene.narration is not None]
    if len(narrated) != len(files):
        raise BadInput("word_timings", f"{len(narrated)} scenes are narrated, but {len(files)} files were given.")
    try:
        return {n: WordTimings.model_validate_json(file.read_bytes()) for n, file in zip(narrated, files, strict=True)}
    except ValidationError as error:
        raise BadInput("word_timings", f"a word_timings.json is not valid ({error.errors()[0]['msg']}).") from None


def _latest_end(scene: TimelineScene, words: WordTimings) -> float:
    """Return the second of the clip at which the last cue must end.

    That is the start of the transition, or the end of the speech when it is later.
    """
    timing = scene.timing
    transition_start = (timing.frames - timing.tail) / timing.fps
    speech_end = (scene.narration or 0.0) - scene.start / timing.fps + words.seconds
    return min(max(transition_start, speech_end), timing.seconds)


def _without_overlap(cues: list[Cue]) -> list[Cue]:
    """Return the cues, each cut at the start of the next one."""
    next_starts = [*(cue.start for cue in cues[1:]), float("inf")]
    return [Cue(cue.start, min(cue.end, limit), cue.lines) for cue, limit in zip(cues, next_starts, strict=True)]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8", newline="\n")
    return path

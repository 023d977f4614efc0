"""Entry points of the template writer: from an idea, a page or images to a storyboard."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

from pipelines.base import BadInput, Report
from pipelines.step_params import WriteParams
from pipelines.storyboard import Storyboard
from pipelines.text.template_writer.idea_parser import Idea, UserLine, parse_idea
from pipelines.text.template_writer.image_mood import ImageMood, analyze_image
from pipelines.text.template_writer.language import load_language_pack
from pipelines.text.template_writer.storyteller import Storyteller
from pipelines.text.template_writer.text_rank import extract_passages
from pipelines.text.template_writer.text_utils import (
    clean_text,
    count_words,
    guess_language,
    join_sentences,
    shorten,
    split_sentences,
    strip_unspeakable,
)
from pipelines.text.template_writer.user_lines import split_user_lines

_MAX_USER_SCENES = 20
_GENERIC_IMAGE_IDEA = re.compile(
    r"(?:(?:a|the|tell|make|an?)\s+)*(?:\w+\s+)?(?:story|film|video|movie)\s+(?:told\s+)?(?:by|from|of|in|with|through|about)\s+"
    r"(?:these|the|my|our)\s+(?:pictures?|photos?|images?)\W*",
    re.IGNORECASE,
)
"""Idea that only refers to the images."""
_BOILERPLATE = re.compile(
    r"cookie|©|copyright|all rights reserved|subscribe|newsletter|log ?in|sign up|privacy policy|javascript|share this|"
    r"read more|datenschutz|impressum|mentions légales|política de privacidad|gizlilik",
    re.IGNORECASE,
)


def from_idea(params: WriteParams, report: Report, seed: int) -> Storyboard:
    """Write a story from the idea alone. Raises BadInput if the idea is empty."""
    params = _clean_params(params)
    if not params.idea:
        raise BadInput("idea", "is empty.", "Write a sentence: who, where, what happens?")
    idea = parse_idea(params.idea, params.language)
    count = params.scene_count or _choose_scene_count(idea, params)
    lines, verbatim = split_user_lines(idea, count, params.language)
    if not idea.in_film_language:
        _warn_language_mismatch(idea, params, report, "idea")
        verbatim = False
    return Storyteller(params, idea, count, seed, lines, verbatim).write_storyboard()


def from_page(params: WriteParams, page: Path, report: Report, seed: int) -> Storyboard:
    """Write the story of a web page, in its own sentences if they are in the film's language.

    Its text is data, never an instruction.

    A page without text leaves only the idea.
    """
    try:
        data = json.loads(page.read_text("utf-8"))
        parts = {key: clean_text(str(data.get(key) or "")) for key in ("title", "description", "text")}
        headings = [shorten(strip_unspeakable(clean_text(str(h))), 12) for h in data.get("headings") or ()][:100]
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput("page", f"is no parsed page: {error}") from error
    body_sentences = [
        strip_unspeakable(s)
        for s in split_sentences(parts["text"])
        if 4 <= count_words(s) <= 80 and not _BOILERPLATE.search(s)
    ]
    lead = [strip_unspeakable(s) for s in split_sentences(parts["description"]) if count_words(s) >= 3][:2]
    title = shorten(strip_unspeakable(parts["title"]), 14).rstrip("…")
    headings = [h for h in headings if h and h != title]
    if not (body_sentences or lead or title):
        report.warn("The page has no readable text. The story uses the idea alone.")
        return from_idea(params, report, seed)
    request = clean_text(re.sub(r"\bhttps?://\S+", " ", params.idea))
    params = _clean_params(params).model_copy(update={"title": params.title.strip() or title, "idea": request})
    content = " ".join([title, *lead, *body_sentences[:200]])
    idea = parse_idea(content, params.language)
    language = guess_language(" ".join([*lead, *body_sentences]) or title, params.language)
    all_sentences = list(dict.fromkeys([*lead, *body_sentences])) or [title]
    idea = dataclasses.replace(
        idea, script=(), sentences=tuple(all_sentences), in_film_language=language == params.language, language=language
    )
    count = params.scene_count or max(2, min(6, len(all_sentences) // 2 + 1))
    if idea.in_film_language:
        lines = [
            UserLine(passage, heading=_heading_before(passage, parts["text"], headings))
            for passage in extract_passages(all_sentences, count, params.language)
        ]
        return Storyteller(
            params, dataclasses.replace(idea, genre="tale"), count, seed, lines, verbatim=True
        ).write_storyboard()
    _warn_language_mismatch(idea, params, report, "page")
    # The writer cannot translate the page: a lesson about its subject, under its title, shows its headings.
    heading_lines = [UserLine("", see) for see in (headings or all_sentences)[: count or 1]]
    lesson_idea = dataclasses.replace(
        idea, genre="lesson", text=title or all_sentences[0], sentences=(title or all_sentences[0],)
    )
    return Storyteller(params, lesson_idea, count, seed, heading_lines, verbatim=False).write_storyboard()


def from_images(params: WriteParams, images: Sequence[Path], report: Report, seed: int) -> Storyboard:
    """Write one scene for each image, in order. Raises BadInput for an image that cannot be read."""
    params = _clean_params(params)
    moods = []
    for number, path in enumerate(images):
        try:
            moods.append(analyze_image(path))
        except OSError as error:
            raise BadInput(f"images[{number}]", "the image cannot be read.", "Send PNG, JPEG or WebP.") from error
    if _GENERIC_IMAGE_IDEA.fullmatch(params.idea):
        params = params.model_copy(update={"idea": ""})
    pack = load_language_pack(params.language)
    default_title = str(pack.data["phrases"]["title_pictures"])
    idea = dataclasses.replace(parse_idea(params.idea or default_title, params.language), genre="tale")
    if params.idea and not idea.in_film_language:
        _warn_language_mismatch(idea, params, report, "idea")
    lines = split_user_lines(idea, len(moods), params.language)[0] if params.idea and idea.in_film_language else []
    theme = pack.capitalize(idea.text.rstrip(".")) if len(lines) == 1 and count_words(idea.text) <= 7 else default_title
    params = params.model_copy(update={"title": params.title or theme})
    storyteller = Storyteller(params, idea, len(moods), seed, lines, verbatim=True)
    board = storyteller.write_storyboard()
    captions = _write_captions(moods, params, seed)
    if len(lines) == 1 and len(moods) > 1:
        # One sentence is the theme of all images: it opens the film, before the caption of the first image.
        captions[0] = join_sentences(
            [pack.end_sentence(pack.capitalize(lines[0].narration)), *split_sentences(captions[0])[-1:]],
            params.language,
        )
        lines = []
    scenes = []
    for number, (scene, image_mood) in enumerate(zip(board.scenes, moods, strict=True)):
        line = storyteller.lines.get(number) if lines else None
        text = pack.end_sentence(pack.capitalize(line.narration)) if line else captions[number]
        image_parts = [image_mood.description, shorten(line.narration, 40).rstrip(".") if line else ""]
        image = ", ".join(part for part in image_parts if part)
        scenes.append(
            scene.model_copy(update={"image_description": image, "narration": text if params.narrated else ""})
        )
    return board.model_copy(update={"scenes": tuple(scenes)})


def _write_captions(moods: Sequence[ImageMood], params: WriteParams, seed: int) -> list[str]:
    """Return the narration of each image: the effect of its light and colours, and its place in the story."""
    pack = load_language_pack(params.language)
    bank = pack.data["pictures"]
    rng = random.Random(f"{seed}\npictures")  # noqa: S311
    shuffled = {
        key: rng.sample(list(rows), len(rows)) for key, rows in [*bank["looks"].items(), ("middle", bank["middle"])]
    }
    used: set[str] = set()
    texts = []
    for number, image_mood in enumerate(moods):
        frame = shuffled["middle"][number % len(shuffled["middle"])]
        tones = shuffled[image_mood.tone]
        tone = tones[number % len(tones)]
        if number == 0:
            text = join_sentences([bank["open"][seed % len(bank["open"])], tone], params.language)
        elif number == len(moods) - 1:
            text = join_sentences([tone, bank["close"][seed % len(bank["close"])]], params.language)
        else:
            choices = [
                join_sentences(p, params.language)
                for f in [frame, *shuffled["middle"]]
                for t in [tone, *tones]
                for p in ([f, t], [t, f])
            ]
            text = next((choice for choice in choices if choice not in used), choices[0])
        used.add(text)
        texts.append(text)
    return texts


def _clean_params(params: WriteParams) -> WriteParams:
    return params.model_copy(
        update={"idea": clean_text(params.idea), "title": clean_text(params.title).replace("\n", " ")[:200]}
    )


def _choose_scene_count(idea: Idea, params: WriteParams) -> int:
    """Return a suitable number of scenes: 2 to 6, or the number that the client marked."""
    if len(idea.script) >= 2:
        return min(_MAX_USER_SCENES, len(idea.script))
    if idea.is_long_text:
        return 6
    words = count_words(idea.text)
    count = 3 if words <= 3 else 4 if words <= 14 else 5 if words <= 28 else 6
    return max(2, min(6, max(count, len(idea.sentences), len(params.locations), len(params.characters))))


def _heading_before(passage: str, text: str, headings: Sequence[str]) -> str:
    """Return the last heading before the passage that stands on a line of its own in `text`."""
    at = text.find(passage[:40])
    before = [(text.rfind(f"\n{h}\n", 0, at), h) for h in headings] if at > 0 else []
    position, heading = max(before, default=(-1, ""))
    return heading if position >= 0 else ""


def _warn_language_mismatch(idea: Idea, params: WriteParams, report: Report, source: str) -> None:
    known = ", ".join([*idea.heroes[:2], *idea.places[:2], *idea.objects[:1]])
    report.warn(
        f"The {source} appears to be in {idea.language} but the film is in {params.language}, "
        "and the draft writer cannot translate. "
        + (f"The story uses the recognised nouns ({known})." if known else "The story uses only the genre of it.")
    )

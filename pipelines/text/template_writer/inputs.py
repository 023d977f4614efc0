"""From what the client sent (an idea, a page, pictures) to the teller."""

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
from pipelines.text.template_writer.idea_parser import Idea, Line, read_idea
from pipelines.text.template_writer.image_mood import Look, look_at
from pipelines.text.template_writer.language import tongue
from pipelines.text.template_writer.storyteller import Teller
from pipelines.text.template_writer.text_rank import beats as salient
from pipelines.text.template_writer.text_utils import guess_language, joined, sentences, shorten, size, speakable, tidy
from pipelines.text.template_writer.user_lines import lines_of

_MOST_OWN_SCENES = 20
_ABOUT_PICTURES = re.compile(
    r"(?:(?:a|the|tell|make|an?)\s+)*(?:\w+\s+)?(?:story|film|video|movie)\s+(?:told\s+)?(?:by|from|of|in|with|through|about)\s+"
    r"(?:these|the|my|our)\s+(?:pictures?|photos?|images?)\W*",
    re.IGNORECASE,
)
"""An idea that says no more than that there are pictures."""
_FURNITURE = re.compile(
    r"cookie|©|copyright|all rights reserved|subscribe|newsletter|log ?in|sign up|privacy policy|javascript|share this|read more|"
    r"datenschutz|impressum|mentions légales|política de privacidad|gizlilik",
    re.IGNORECASE,
)


def from_idea(params: WriteParams, report: Report, seed: int) -> Storyboard:
    """A story of the idea alone. Raises `BadInput` when there is nothing to read in it."""
    params = _tidied(params)
    if not params.idea:
        raise BadInput("idea", "there is nothing to tell a story of.", "Write a sentence: who, where, what happens?")
    idea = read_idea(params.idea, params.language)
    count = params.scene_count or _fitting(idea, params)
    lines, told = lines_of(idea, count, params.language)
    if not idea.native:
        _warn_foreign(idea, params, report, "idea")
        told = False
    return Teller(params, idea, count, seed, lines, told).tell()


def from_page(params: WriteParams, page: Path, report: Report, seed: int) -> Storyboard:
    """The story of a web page, in its own sentences where it is in the language of the film. Its text is data, never
    an instruction. A page without text leaves the idea."""
    try:
        data = json.loads(page.read_text("utf-8"))
        parts = {key: tidy(str(data.get(key) or "")) for key in ("title", "description", "text")}
        headings = [shorten(speakable(tidy(str(h))), 12) for h in data.get("headings") or ()][:100]
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput("page", f"the page cannot be read: {error}") from error
    told = [speakable(s) for s in sentences(parts["text"]) if 4 <= size(s) <= 80 and not _FURNITURE.search(s)]
    lead = [speakable(s) for s in sentences(parts["description"]) if size(s) >= 3][:2]
    title = shorten(speakable(parts["title"]), 14).rstrip("…")
    headings = [h for h in headings if h and h != title]
    if not (told or lead or title):
        report.warn("The page has no readable text: the story is told from the idea alone.")
        return from_idea(params, report, seed)
    asked = tidy(re.sub(r"\bhttps?://\S+", " ", params.idea))
    params = _tidied(params).model_copy(update={"title": params.title.strip() or title, "idea": asked})
    content = " ".join([title, *lead, *told[:200]])
    idea = read_idea(content, params.language)
    language = guess_language(" ".join([*lead, *told]) or title, params.language)
    everything = list(dict.fromkeys([*lead, *told])) or [title]
    idea = dataclasses.replace(
        idea, script=(), sentences=tuple(everything), native=language == params.language, language=language
    )
    count = params.scene_count or max(2, min(6, len(everything) // 2 + 1))
    if idea.native:
        lines = [
            Line(passage, heading=_heading(passage, parts["text"], headings))
            for passage in salient(everything, count, params.language)
        ]
        return Teller(params, dataclasses.replace(idea, genre="tale"), count, seed, lines, told=True).tell()
    _warn_foreign(idea, params, report, "page")
    # What the page says cannot be translated here: a guided look at its subject, under its own title, shows its headings.
    seen = [Line("", see) for see in (headings or everything)[: count or 1]]
    looked = dataclasses.replace(idea, genre="lesson", text=title or everything[0], sentences=(title or everything[0],))
    return Teller(params, looked, count, seed, seen, told=False).tell()


def from_pictures(params: WriteParams, pictures: Sequence[Path], report: Report, seed: int) -> Storyboard:
    """One scene for each picture, in order. Raises `BadInput` for a picture that cannot be read."""
    params = _tidied(params)
    looks = []
    for number, path in enumerate(pictures):
        try:
            looks.append(look_at(path))
        except OSError as error:
            raise BadInput(f"pictures[{number}]", "the picture cannot be read.", "Send PNG, JPEG or WebP.") from error
    if _ABOUT_PICTURES.fullmatch(params.idea):
        params = params.model_copy(update={"idea": ""})
    words = tongue(params.language)
    usual = str(words.data["phrases"]["title_pictures"])
    idea = dataclasses.replace(read_idea(params.idea or usual, params.language), genre="tale")
    if params.idea and not idea.native:
        _warn_foreign(idea, params, report, "idea")
    lines = lines_of(idea, len(looks), params.language)[0] if params.idea and idea.native else []
    theme = words.capital(idea.text.rstrip(".")) if len(lines) == 1 and size(idea.text) <= 7 else usual
    params = params.model_copy(update={"title": params.title or theme})
    teller = Teller(params, idea, len(looks), seed, lines, told=True)
    board = teller.tell()
    captions = _captions(looks, params, seed)
    if len(lines) == 1 and len(looks) > 1:
        # One sentence is the theme of all pictures: it opens the film, and the first picture still speaks for itself.
        captions[0] = joined([words.ended(words.capital(lines[0].say)), *sentences(captions[0])[-1:]], params.language)
        lines = []
    scenes = []
    for number, (scene, look) in enumerate(zip(board.scenes, looks, strict=True)):
        line = teller.lines.get(number) if lines else None
        text = words.ended(words.capital(line.say)) if line else captions[number]
        shown = [look.words, shorten(line.say, 40).rstrip(".") if line else ""]
        image = ", ".join(part for part in shown if part)
        scenes.append(
            scene.model_copy(update={"image_description": image, "narration": text if params.narrated else ""})
        )
    return board.model_copy(update={"scenes": tuple(scenes)})


def _captions(looks: Sequence[Look], params: WriteParams, seed: int) -> list[str]:
    """What is said of each picture: how its light and colours feel, and where in the story it stands."""
    words = tongue(params.language)
    bank = words.data["pictures"]
    rng = random.Random(f"{seed}\npictures")  # noqa: S311
    shuffled = {
        key: rng.sample(list(rows), len(rows)) for key, rows in [*bank["looks"].items(), ("middle", bank["middle"])]
    }
    used: set[str] = set()
    texts = []
    for number, look in enumerate(looks):
        frame = shuffled["middle"][number % len(shuffled["middle"])]
        tones = shuffled[look.tone]
        tone = tones[number % len(tones)]
        if number == 0:
            text = joined([bank["open"][seed % len(bank["open"])], tone], params.language)
        elif number == len(looks) - 1:
            text = joined([tone, bank["close"][seed % len(bank["close"])]], params.language)
        else:
            choices = [
                joined(p, params.language)
                for f in [frame, *shuffled["middle"]]
                for t in [tone, *tones]
                for p in ([f, t], [t, f])
            ]
            text = next((choice for choice in choices if choice not in used), choices[0])
        used.add(text)
        texts.append(text)
    return texts


def _tidied(params: WriteParams) -> WriteParams:
    return params.model_copy(update={"idea": tidy(params.idea), "title": tidy(params.title).replace("\n", " ")[:200]})


def _fitting(idea: Idea, params: WriteParams) -> int:
    """How many scenes suit the idea: 2..6, or as many as the client has marked."""
    if len(idea.script) >= 2:
        return min(_MOST_OWN_SCENES, len(idea.script))
    if idea.long:
        return 6
    words = size(idea.text)
    count = 3 if words <= 3 else 4 if words <= 14 else 5 if words <= 28 else 6
    return max(2, min(6, max(count, len(idea.sentences), len(params.locations), len(params.characters))))


def _heading(passage: str, text: str, headings: Sequence[str]) -> str:
    """The last heading before the passage, as the text has it on a line of its own."""
    at = text.find(passage[:40])
    before = [(text.rfind(f"\n{h}\n", 0, at), h) for h in headings] if at > 0 else []
    place, heading = max(before, default=(-1, ""))
    return heading if place >= 0 else ""


def _warn_foreign(idea: Idea, params: WriteParams, report: Report, what: str) -> None:
    known = ", ".join([*idea.heroes[:2], *idea.places[:2], *idea.things[:1]])
    report.warn(
        f"The {what} seems to be in {idea.language}, the film in {params.language}: the draft writer cannot translate. It tells "
        + (f"a story around what it recognised ({known})." if known else "a story of its own in the mood of it.")
    )

"""sheet.html: the storyboard page of a finished story. Self-contained beside its files; no script, nothing fetched."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #22252b; --soft: #6b7280; --paper: #faf8f4; --card: #fff; --line: #e6e1d8; --accent: #b4552d; }
@media (prefers-color-scheme: dark) { :root { --ink: #ece8e1; --soft: #9aa0aa; --paper: #16181c; --card: #1f2228; --line: #31353d; --accent: #e58a5f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: .85rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft); margin: 40px 0 12px; }
.told { margin: 0 0 4px; }
.lead { color: var(--soft); margin: 0 0 24px; }
video { display: block; width: auto; max-width: 100%; max-height: 72vh; margin: 0 auto; border-radius: 12px; background: #000; }
.film { background: #000; border-radius: 12px; overflow: hidden; }
.cast { display: flex; flex-wrap: wrap; gap: 16px; }
.cast figure { margin: 0; width: 132px; }
.cast img { width: 100%; aspect-ratio: 3 / 4; object-fit: cover; border-radius: 10px; border: 1px solid var(--line); background: var(--card); }
.cast .location { width: 232px; } .cast .location img { aspect-ratio: 16 / 9; }
.cast .object img { aspect-ratio: 1; }
figcaption { font-size: .88rem; margin-top: 6px; line-height: 1.35; } figcaption small { color: var(--soft); display: block; }
bdi { unicode-bidi: isolate; }
.scenes { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 20px; }
.scene { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; display: flex; flex-direction: column; }
.scene > img { display: block; width: 100%; background: #000; }
.scene div { padding: 14px 16px 16px; display: flex; flex-direction: column; gap: 8px; flex: 1; }
.scene p { margin: 0; } .words { font-family: Georgia, "Noto Serif", serif; font-size: 1.05rem; }
.meta { color: var(--soft); font-size: .85rem; }
.number { color: var(--accent); font-weight: 600; }
audio { width: 100%; height: 34px; margin-top: auto; }
ul { padding-inline-start: 20px; margin: 0; } li { margin: 2px 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: .88rem; } td, th { text-align: start; padding: 4px 20px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
"""


def render_storyboard_page(record: Mapping[str, Any]) -> str:
    """The page of a record (`story.json`)."""
    story, files = record["story"], record["files"]
    film = next((file for file in files if file.endswith(".mp4") and "/" not in file), None)
    title = story["title"] or "Untitled"
    body = [
        f'<h1 dir="auto">{escape(title)}</h1>',
        f'<p class="told" dir="auto">{escape(story["description"])}</p>' if story["description"] else "",
        f'<p class="lead">{_inline_facts(_summary_facts(record))}</p>',
        f'<div class="film"><video controls preload="metadata" src="{film}"{_poster(files)}></video></div>'
        if film
        else "",
        _section("Cast", "cast", _references(record, "character")),
        _section("Places and things", "cast", _references(record, "location", "object")),
        _section("Scenes", "scenes", _scenes(record)),
        _list("Please note", record["warnings"]),
        _list("Credits", record["credits"]),
        _models_table(record),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main></body></html>\n"
    )


def _poster(files: Mapping[str, str]) -> str:
    first = next((file for file in files if file.startswith("keyframes/")), None)
    return f' poster="{first}"' if first else ""


def _inline_facts(facts: Iterable[str]) -> str:
    """Facts in a row from left to right, each in the direction of its own letters."""
    return " · ".join(f"<bdi>{escape(fact)}</bdi>" for fact in facts if fact)


def _summary_facts(record: Mapping[str, Any]) -> Iterable[str]:
    story, timeline = record["story"], record["timeline"]
    parts = [f"{len(story['scenes'])} scenes"]
    if timeline:
        last = timeline["scenes"][-1]
        parts.append(f"{(last['start'] + last['timing']['frames']) / timeline['fps']:.0f} s")
    return [
        *parts,
        f"{story['video']['width']} × {story['video']['height']}",
        story["language"],
        f"profile {record['profile']}",
    ]


def _section(title: str, style: str, cards: Iterable[str]) -> str:
    inside = "\n".join(cards)
    return f'<h2>{title}</h2>\n<section class="{style}">\n{inside}\n</section>' if inside else ""


def _card(file: str, name: str, words: str, style: str) -> str:
    return (
        f'<figure class="{style}"><img src="{file}" alt="{escape(name)}" loading="lazy"><figcaption><bdi>{escape(name)}</bdi>'
        f"<small><bdi>{escape(words)}</bdi></small></figcaption></figure>"
    )


def _references(record: Mapping[str, Any], *roles: str) -> Iterable[str]:
    """Cards of the reference pictures of these roles."""
    story = record["story"]
    words = {("character", one["name"], None): one["appearance"] for one in story["characters"]}
    words |= {
        ("character", one["name"], state["name"]): state["appearance"]
        for one in story["characters"]
        for state in one["states"]
    }
    words |= {("location", one["name"], None): one["description"] for one in story["locations"]}
    words |= {("object", one["name"], None): one["description"] for one in story["objects"]}
    for one in record["references"]:
        if one["role"] in roles:
            name = one["name"] + (f" · {one['state']}" if one["state"] else "")
            yield _card(one["file"], name, words[one["role"], one["name"], one["state"]], one["role"])


def _scenes(record: Mapping[str, Any]) -> Iterable[str]:
    story, files, timeline = record["story"], record["files"], record["timeline"]
    for number, scene in enumerate(story["scenes"]):
        name = f"scene-{number + 1:02d}"
        picture, voice = f"keyframes/{name}.png", f"narration/{name}.wav"
        facts = [scene["camera"]]
        facts += [one["name"] + (f" ({one['state']})" if one["state"] else "") for one in scene["characters"]]
        facts += [scene["location"] or ""]
        if timeline:
            facts.insert(0, f"{timeline['scenes'][number]['timing']['frames'] / timeline['fps']:.1f} s")
        # A name that only counts ("Scene 3") says nothing beside the number.
        named = scene["name"] if not scene["name"].endswith(str(number + 1)) else ""
        yield (
            '<article class="scene">'
            + (f'<img src="{picture}" alt="Scene {number + 1}" loading="lazy">' if picture in files else "")
            + f'<div><p class="meta"><span class="number">{number + 1}</span> {_inline_facts([named, *facts])}</p>'
            + (f'<p class="words" dir="auto">{escape(scene["narration"])}</p>' if voice in files else "")
            + f'<p class="meta" dir="{_text_direction(scene["prompt"])}">{escape(scene["prompt"])}</p>'
            + (f'<audio controls preload="none" src="{voice}"></audio>' if voice in files else "")
            + "</div></article>"
        )


def _text_direction(text: str) -> str:
    """By most of its letters: an English sentence about ليلى runs from left to right although it may begin with her name."""
    sides = [unicodedata.bidirectional(letter) for letter in text]
    return "rtl" if sides.count("R") + sides.count("AL") > sides.count("L") else "ltr"


def _list(title: str, lines: Iterable[str]) -> str:
    items = "\n".join(f'<li dir="auto">{escape(line)}</li>' for line in lines)
    return f"<h2>{title}</h2>\n<ul>\n{items}\n</ul>" if items else ""


def _models_table(record: Mapping[str, Any]) -> str:
    kinds: dict[str, dict[str, None]] = {}
    seconds: dict[str, float] = {}
    for step in record["steps"]:
        kinds.setdefault(step["model"], {})[step["kind"]] = None
        seconds[step["model"]] = seconds.get(step["model"], 0.0) + step["seconds"]
    rows = "\n".join(
        f"<tr><td>{escape(model)}</td><td>{escape(', '.join(made))}</td><td>{escape(record['models'][model]['licence'])}</td>"
        f"<td>{seconds[model]:.1f} s</td></tr>"
        for model, made in kinds.items()
    )
    return (
        f"<h2>Made with</h2>\n<table><tr><th>model</th><th>steps</th><th>licence</th><th>work</th></tr>\n{rows}</table>\n"
        f'<p class="meta">story-engine {escape(record["engine"])}, seed {record["story"]["seed"]}</p>'
    )

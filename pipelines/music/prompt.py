"""Prompts of music models, from the mood and the story."""

from __future__ import annotations

from pipelines.moods import classify_mood
from pipelines.step_params import ScoreParams

_MOOD_PROMPTS: dict[str, str] = {
    "calm": "calm and peaceful, slow, soft piano, warm strings, gentle pads",
    "energetic": "energetic and adventurous, driving percussion, brass, fast strings, building tension",
    "happy": "happy and playful, bright, pizzicato strings, ukulele, glockenspiel, light percussion",
    "nostalgic": "nostalgic and melancholic, slow, solo piano, cello, distant strings",
    "tender": "tender and hopeful, warm, acoustic guitar, piano, soft strings, emotional",
}
_MAX_STORY_CHARACTERS = 300
"""Maximum number of story characters in the prompt: music models read few tokens, and the style comes first."""


def build_prompt(params: ScoreParams) -> str:
    """Return one line: the style in English, then the story in its own words."""
    sound = _MOOD_PROMPTS[classify_mood(params.mood, params.prompt, tuple(_MOOD_PROMPTS))]
    about = " ".join(params.prompt.split())[:_MAX_STORY_CHARACTERS].strip()
    parts = [f"Instrumental film score, no vocals, {sound}", f"mood: {params.mood}" if params.mood else ""]
    return ", ".join(filter(None, parts)) + (f". For a film about: {about}" if about else ".")

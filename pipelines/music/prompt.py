"""What a film is about → words for a model that composes from words."""

from __future__ import annotations

from pipelines.moods import classify_mood
from pipelines.step_params import ScoreParams

_SOUNDS: dict[str, str] = {
    "calm": "calm and peaceful, slow, soft piano, warm strings, gentle pads",
    "energetic": "energetic and adventurous, driving percussion, brass, fast strings, building tension",
    "happy": "happy and playful, bright, pizzicato strings, ukulele, glockenspiel, light percussion",
    "nostalgic": "nostalgic and melancholic, slow, solo piano, cello, distant strings",
    "tender": "tender and hopeful, warm, acoustic guitar, piano, soft strings, emotional",
}
_ABOUT = 300
"""Characters of the story that a model is told: its words are few, and the music comes first."""


def described(params: ScoreParams) -> str:
    """One line of English for the sound, with what the film is about in the story's own words."""
    sound = _SOUNDS[classify_mood(params.mood, params.prompt, tuple(_SOUNDS))]
    about = " ".join(params.prompt.split())[:_ABOUT].strip()
    told = [f"Instrumental film score, no vocals, {sound}", f"mood: {params.mood}" if params.mood else ""]
    return ", ".join(filter(None, told)) + (f". For a film about: {about}" if about else ".")

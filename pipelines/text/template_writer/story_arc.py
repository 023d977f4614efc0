"""Story arcs: the beat of each scene, for any number of scenes. Pure functions."""

from __future__ import annotations

_TALE_ARCS: dict[int, tuple[str, ...]] = {
    1: ("opening",),
    2: ("opening", "closing"),
    3: ("opening", "call", "closing"),
    4: ("opening", "call", "turn", "closing"),
    5: ("opening", "call", "trial", "turn", "closing"),
    6: ("opening", "call", "meet", "trial", "turn", "closing"),
    7: ("opening", "call", "meet", "trial", "turn", "home", "closing"),
    8: ("opening", "want", "call", "meet", "trial", "turn", "home", "closing"),
    9: ("opening", "want", "call", "meet", "trial", "low", "turn", "home", "closing"),
}
_SETUP_BEATS = ("opening", "want", "call", "leave", "meet")
_RESOLUTION_BEATS = ("trial", "low", "turn", "home", "closing")
_EPISODE_BEATS = ("arrive", "trial", "help", "rest")


def tale_arc(count: int) -> tuple[str, ...]:
    """Return `count` beats of a tale: setup, call, journey in episodes, crisis, turn, way home."""
    if count in _TALE_ARCS:
        return _TALE_ARCS[count]
    middle = count - len(_SETUP_BEATS) - len(_RESOLUTION_BEATS)
    return (*_SETUP_BEATS, *(_EPISODE_BEATS[i % len(_EPISODE_BEATS)] for i in range(middle)), *_RESOLUTION_BEATS)


def product_arc(count: int) -> tuple[str, ...]:
    """Return `count` beats of a product film: need, answer, everyday moments, promise, invitation."""
    if count <= 4:
        return (
            ("call",),
            ("opening", "closing"),
            ("opening", "call", "closing"),
            ("opening", "call", "turn", "closing"),
        )[count - 1]
    return ("opening", "call", *["moment"] * (count - 4), "turn", "closing")


def lesson_arc(count: int) -> tuple[str, ...]:
    """Return `count` beats of a lesson: a question, steps of explanation, a closing question."""
    return ("opening",) if count == 1 else ("opening", *["step"] * (count - 2), "closing")


def story_beats(genre: str, count: int) -> tuple[str, ...]:
    """Return the beats of a film of that genre. Genres without an arc of their own use the tale's."""
    return {"product": product_arc, "lesson": lesson_arc}.get(genre, tale_arc)(count)

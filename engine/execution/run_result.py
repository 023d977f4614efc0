"""The result of one run: what `engine.outputs` exports and the server presents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.planning.plan import PlanResult
from engine.storage.artifact_store import Action
from engine.story.model import Story


@dataclass(frozen=True, slots=True)
class RunResult:
    """A story, how it was planned, and what is in the store for each step."""

    story: Story
    planned: PlanResult
    actions: Mapping[str, Action]
    recalled: frozenset[str]
    warnings: tuple[str, ...] = ()

"""The result of one run: what `engine.outputs` exports and the server presents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.planning.plan import PlanResult
from engine.storage.artifact_store import Action
from engine.story.model import Story


@dataclass(frozen=True, slots=True)
class RunResult:
    """A story, its plan, and the action of each step; `cached`: ids of the steps that did not run."""

    story: Story
    planned: PlanResult
    actions: Mapping[str, Action]
    cached: frozenset[str]
    warnings: tuple[str, ...] = ()

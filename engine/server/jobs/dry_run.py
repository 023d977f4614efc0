"""What a request would take and cost, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from engine.execution.estimates import Forecast
from engine.planning.plan import Plan, Planned
from engine.planning.planner import Upto, plan_brief, plan_story
from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import Goal
from engine.service import Service
from engine.story.assembly import story_of
from engine.story.model import Brief, Story, with_pictures
from pipelines.storyboard import Storyboard, WrittenElement, WrittenScene


@dataclass(frozen=True, slots=True)
class Quotes:
    """Plans what is asked for and looks what of it is there already."""

    service: Service
    credits: Credits

    def cost(self, told: Brief | Story, goal: Goal) -> int:
        """The credits that work of that goal takes, where they are counted."""
        if not self.credits.are_counted or goal in ("storyboard", "elements"):
            return 0
        return self.credits.cost(self._forecast(told, goal)[1])

    def _forecast(self, told: Brief | Story, goal: Goal) -> tuple[Planned, Forecast]:
        told = with_pictures(told, lambda place, file: file.model_copy(update={"digest": file.digest or "0" * 64}))
        planned = plan_brief(told, self.service.catalog) if isinstance(told, Brief) else None
        if planned is None or goal != "storyboard":
            upto: Upto = "keyframes" if goal in ("keyframes", "scenes") else "film"
            story = told if isinstance(told, Story) else _unwritten(told)
            made = plan_story(story, self.service.catalog, upto)
            steps = {**(planned.plan.by_id if planned else {}), **made.plan.by_id}
            planned = replace(made, plan=Plan(tuple(steps.values())))
        return planned, self.service.forecast(planned)

    def forecast(self, told: Brief | Story, goal: Goal) -> dict[str, Any]:
        """What a request would take, as far as it can be known before anything is read or written."""
        planned, found = self._forecast(told, goal)
        return {
            "dry_run": True,
            "profile": planned.profile,
            "complete": isinstance(told, Story),
            "seconds": round(found.seconds, 1),
            "memory_mb": found.memory_mb,
            "disk_bytes": found.size,
            "learned": found.learned,
            "credits": self.cost(told, goal),
            "warnings": list(planned.warnings),
            "steps": [
                {
                    "id": row.step.id,
                    "kind": str(row.step.kind),
                    "model": row.step.spec.name,
                    "cached": row.cached,
                    "seconds": round(row.seconds, 2),
                }
                for row in found.rows
            ],
        }


def _unwritten(brief: Brief) -> Story:
    """A story of the size that a brief will have: scenes with a few words each and one place for all."""
    scene = WrittenScene(image_description="…", narration=120 * "a", location="…")
    count = len(brief.pictures) or brief.scene_count or 3
    return story_of(brief, Storyboard(title="…", locations=(WrittenElement(name="…"),), scenes=(scene,) * count))

"""Cost preview of a request: time, memory, disk space and credits, without running anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from engine.execution.estimates import Forecast
from engine.planning.plan import Plan, PlanResult
from engine.planning.planner import PlanStage, plan_brief, plan_story
from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import JobTarget
from engine.service import Service
from engine.story.assembly import assemble_story
from engine.story.model import Brief, Story, map_input_files
from pipelines.storyboard import Storyboard, StoryboardElement, StoryboardScene


@dataclass(frozen=True, slots=True)
class CostPreview:
    """Plans requests and looks up the steps that are cached."""

    service: Service
    credits: Credits

    def cost(self, story: Brief | Story, target: JobTarget) -> int:
        """Return the credits that a job with that target costs; 0 without a budget."""
        if not self.credits.enabled or target in ("storyboard", "elements"):
            return 0
        return self.credits.cost(self._forecast(story, target)[1])

    def _forecast(self, story: Brief | Story, target: JobTarget) -> tuple[PlanResult, Forecast]:
        story = map_input_files(story, lambda place, file: file.model_copy(update={"digest": file.digest or "0" * 64}))
        planned = plan_brief(story, self.service.catalog) if isinstance(story, Brief) else None
        if planned is None or target != "storyboard":
            until: PlanStage = "keyframes" if target in ("keyframes", "scenes") else "film"
            full_story = story if isinstance(story, Story) else _placeholder_story(story)
            story_plan = plan_story(full_story, self.service.catalog, until)
            steps = {**(planned.plan.by_id if planned else {}), **story_plan.plan.by_id}
            planned = replace(story_plan, plan=Plan(tuple(steps.values())))
        return planned, self.service.forecast(planned)

    def preview(self, story: Brief | Story, target: JobTarget) -> dict[str, Any]:
        """Return the body of a dry run: seconds, memory, disk space, credits and the steps.

        `exact` is false for a request without a storyboard: its plan uses placeholder scenes."""
        planned, forecast = self._forecast(story, target)
        return {
            "dry_run": True,
            "profile": planned.profile,
            "exact": isinstance(story, Story),
            "seconds": round(forecast.seconds, 1),
            "memory_mb": forecast.memory_mb,
            "disk_bytes": forecast.size,
            "measured": forecast.measured,
            "credits": self.cost(story, target),
            "warnings": list(planned.warnings),
            "steps": [
                {
                    "id": row.step.id,
                    "kind": str(row.step.kind),
                    "model": row.step.spec.name,
                    "cached": row.cached,
                    "seconds": round(row.seconds, 2),
                }
                for row in forecast.rows
            ],
        }


def _placeholder_story(brief: Brief) -> Story:
    """Return a story with as many scenes as the brief will have, short texts and one shared location."""
    scene = StoryboardScene(image_description="…", narration=120 * "a", location="…")
    count = len(brief.pictures) or brief.scene_count or 3
    return assemble_story(
        brief, Storyboard(title="…", locations=(StoryboardElement(name="…"),), scenes=(scene,) * count)
    )

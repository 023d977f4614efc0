"""Writing of briefs into stories, with images of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event as StopEvent
from typing import Any

from engine.execution.errors import RunFailed, failure_field
from engine.execution.protocol import FailureCode
from engine.execution.run_events import EventCallback
from engine.inputs.importer import PAGE_NOT_READ, InputImporter
from engine.inputs.page_images import SKIPPED_MESSAGE, add_image_objects, fetch_page_images, is_too_small
from engine.planning.planner import plan_brief, plan_story
from engine.planning.step_ids import READ_ID, WRITE_ID, sanitize_id
from engine.service.plan_runner import PlanRunner
from engine.service.text_moderation import TextModerator
from engine.storage.artifact_store import Action, ArtifactStore
from engine.story.assembly import assemble_story
from engine.story.field_path import FieldPath
from engine.story.model import Brief, Story
from pipelines.models.catalog import Catalog
from pipelines.step_params import OutputName
from pipelines.storyboard import Storyboard


class BriefWriter:
    """Runs the steps that read the page of a brief and write its story. `importer_of`: importer for a run id."""

    def __init__(
        self,
        store: ArtifactStore,
        catalog: Catalog,
        plans: PlanRunner,
        moderator: TextModerator,
        importer_of: Callable[[str | None], InputImporter],
    ) -> None:
        self._store, self._catalog, self._plans = store, catalog, plans
        self._moderator, self._importer_of = moderator, importer_of

    def write(
        self,
        brief: Brief,
        on_event: EventCallback = lambda event: None,
        *,
        run_id: str | None = None,
        stop: StopEvent | None = None,
    ) -> tuple[Story, tuple[str, ...]]:
        """Write the story of a brief and check the texts of both; return it and its warnings.

        Raises PlanningError, RunFailed, RunCancelled."""
        self._moderator.check(brief)
        brief, page_warnings = self._read_page(brief, run_id, stop)
        plan_result = plan_brief(brief, self._catalog)
        self._plans.check_inputs(plan_result, run_id, stop)
        result, warnings = self._plans.execute(plan_result, None, on_event, run_id, stop)
        path = self._store.path(_output_digest(result.actions[WRITE_ID], OutputName.STORYBOARD))
        storyboard = Storyboard.model_validate_json(path.read_bytes())
        story = assemble_story(brief, storyboard)
        self._moderator.check(story)
        image_warnings: tuple[str, ...] = ()
        if brief.page_pictures and READ_ID in result.actions:
            page = json.loads(self._store.path(_output_digest(result.actions[READ_ID], OutputName.PAGE)).read_bytes())
            story, image_warnings = self._add_page_images(page, brief.page_pictures, story, run_id, stop)
        return story, (*page_warnings, *plan_result.warnings, *warnings, *image_warnings)

    def _read_page(self, brief: Brief, run_id: str | None, stop: StopEvent | None) -> tuple[Brief, tuple[str, ...]]:
        """Return the brief, without its page and with a warning if the page has no usable text."""
        if brief.page is None:
            return brief, ()
        plan_result = plan_brief(brief, self._catalog)
        try:
            self._plans.execute(
                plan_result, plan_result.plan.closure([READ_ID]).by_id, lambda event: None, run_id, stop
            )
        except RunFailed as error:
            failure = error.failures.get(READ_ID)
            if failure is None or failure.code != FailureCode.BAD_INPUT:
                raise
            return brief.model_copy(update={"page": None}), (f"{PAGE_NOT_READ}: page: {failure.message}",)
        return brief, ()

    def _add_page_images(
        self, page: Mapping[str, Any], count: int, story: Story, run_id: str | None, stop: StopEvent | None
    ) -> tuple[Story, tuple[str, ...]]:
        """Return the story with up to `count` images of its page as objects, and a warning per skipped image."""
        pictures, warnings = fetch_page_images(page, count, partial(self._importer_of(run_id).fetch, stop=stop))
        first = len(story.objects)
        while pictures:
            candidate = add_image_objects(story, pictures)
            plan_result = plan_story(candidate, self._catalog, "portraits")
            reasons: dict[int, str] = {}
            try:
                self._moderator.check(candidate)
                actions = self._plans.check_inputs(plan_result, run_id, stop)
                for number in range(len(pictures)):
                    sanitized = actions[sanitize_id(FieldPath("objects", first + number, "reference_url"))]
                    if is_too_small(self._store.path(_output_digest(sanitized, OutputName.IMAGE))):
                        reasons[number] = "is too small"
            except RunFailed as error:
                for step, failure in error.failures.items():
                    field = failure_field(step, failure) or FieldPath.parse(failure.field)
                    index = field.index_in("objects")
                    if index is None or index < first:
                        raise
                    reasons[index - first] = "was rejected" if failure.code == FailureCode.REJECTED else failure.message
            if not reasons:
                return candidate, tuple(dict.fromkeys(warnings))
            warnings += [f"{SKIPPED_MESSAGE} {reason}" for reason in reasons.values()]
            pictures = [one for n, one in enumerate(pictures) if n not in reasons]
        return story, tuple(dict.fromkeys(warnings))


def _output_digest(action: Action, name: str) -> str:
    return next(output.digest for output in action.outputs if output.name == name)

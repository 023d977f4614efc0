"""History of runs, and retention of their artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.execution.errors import RunCancelled
from engine.execution.run_result import RunResult
from engine.execution.runner import Runner
from engine.planning.plan import PlanningError
from engine.planning.planner import plan_brief, plan_story
from engine.planning.step_ids import COMPOSE_ID
from engine.storage.artifact_store import Action, ArtifactStore
from engine.storage.database import Database, Run
from engine.story.model import Brief, Story, input_files
from pipelines.models.catalog import Catalog
from pipelines.step_params import OutputName


class RunTracker:
    """Stores starts and ends of runs, and what garbage collection keeps for them."""

    def __init__(self, store: ArtifactStore, database: Database, catalog: Catalog, runner: Runner) -> None:
        self._store, self._database, self._catalog, self._runner = store, database, catalog, runner

    def start_run(self, run_id: str, story: Brief | Story, *, source: str, out: str) -> None:
        """Store the start of a run; its input files are kept from garbage collection."""
        self._database.start_run(
            run_id, title=story.title or Path(source).stem, source=source, output_folder=out, story=_to_dict(story)
        )
        self._database.add_references(run_id, digests=[picture.digest for picture in input_files(story).values()])

    def retain(
        self, run_id: str, story: Brief | Story, result: RunResult | None = None, digests: Iterable[str] = ()
    ) -> bool:
        """Replace the references of a run by the cached steps of its story, `result`, its input files and `digests`.

        Return whether references were dropped. Raises KeyError if the run was deleted."""
        try:
            plan = (
                plan_story(story, self._catalog) if isinstance(story, Story) else plan_brief(story, self._catalog)
            ).plan
        except PlanningError:  # without a plan its cached steps are unknown
            return False
        actions = (*self._runner.get_cached(plan).values(), *(result.actions.values() if result else ()))
        files = (*(picture.digest for picture in input_files(story).values()), *digests)
        return self._database.add_references(
            run_id, keys=[action.key for action in actions], digests=files, exclusive=True
        )

    def finish_run(self, run_id: str, result: RunResult) -> None:
        """Store the success of a run, and drop references that it no longer needs."""
        self.retain(run_id, result.story, result)
        film = result.actions.get(COMPOSE_ID)
        self._database.finish_run(
            run_id, "done", film=_output_digest(film, OutputName.FILM) if film else None, warnings=result.warnings
        )

    def fail_run(self, run_id: str, error: BaseException) -> None:
        """Store the failure or cancellation of a run."""
        cancelled = isinstance(error, RunCancelled | KeyboardInterrupt)
        self._database.finish_run(run_id, "cancelled" if cancelled else "failed", error=str(error))

    def takes(self, run_id: str) -> Mapping[str, int]:
        """Return step id → take of a run; empty for an unknown run."""
        try:
            run: Run = self._database.get_run(run_id)
        except KeyError:
            return {}
        return dict(run.story.get("takes", {}))

    def gc(self, *, grace: float = 3600.0) -> tuple[int, int]:
        """Delete artifacts that no run refers to. Return the number of files and their size in bytes."""
        self._store.remove_orphans()
        return self._store.gc(self._database.live_keys(), self._database.live_digests(), grace=grace)


def _output_digest(action: Action, name: str) -> str:
    return next(output.digest for output in action.outputs if output.name == name)


def _to_dict(story: Brief | Story) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads(story.model_dump_json())
    return content

"""Cache of the finished outputs of stories."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from engine.planning.plan import InvalidPlan, OutputRef, PlanningError
from engine.planning.planner import PlanStage, plan_story
from engine.planning.step_ids import image_check_id
from engine.server.jobs.stories import Record
from engine.service import Service
from engine.storage.artifact_store import Output, StoreError
from engine.story.model import Story

OutputDigests = Mapping[str, str]
"""Digest by name of the output."""
MAX_CACHED_STORIES = 2000


class OutputIndex:
    """Output digests by step id, per story. Caches what the planner and the artifact store return for each poll."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._entries: OrderedDict[tuple[str, int], dict[str, OutputDigests]] = OrderedDict()
        self._lock = threading.Lock()
        self._output_counts: dict[str, int] = {}

    def outputs_of(self, record: Record) -> Mapping[str, OutputDigests]:
        """Return the finished outputs of a story by step id; empty for a story without a storyboard."""
        if not isinstance(record.story, Story):
            return {}
        key = (record.id, record.revision)
        with self._lock:  # held during the lookup too, so that add() cannot miss the new entry
            if key not in self._entries:
                self._entries[key] = self._find_outputs(record.story, "clips" if record.api == "story" else "keyframes")
                while len(self._entries) > MAX_CACHED_STORIES:
                    self._entries.popitem(last=False)
            self._entries.move_to_end(key)
            return dict(self._entries[key])

    def add(self, story_id: str, step: str, outputs: tuple[Output, ...]) -> None:
        """Add the outputs of a finished step."""
        files = {output.name: output.digest for output in outputs}
        with self._lock:
            self._output_counts[story_id] = self._output_counts.get(story_id, 0) + 1
            for key, entry in self._entries.items():
                if key[0] == story_id:
                    entry[step] = files

    def output_count(self, story_id: str) -> int:
        """Return the number of steps finished since the last change of the story."""
        return self._output_counts.get(story_id, 0)

    def invalidate(self, story_id: str) -> None:
        """Drop the entries of a story that was changed or deleted."""
        with self._lock:
            self._output_counts.pop(story_id, None)
            for key in [key for key in self._entries if key[0] == story_id]:
                del self._entries[key]

    def _find_outputs(self, story: Story, until: PlanStage) -> dict[str, OutputDigests]:
        try:
            plan = plan_story(story, self._service.catalog, until).plan
            cached = self._service.runner.get_cached(plan)
        except (PlanningError, InvalidPlan, StoreError):
            return {}
        visible = (step for step in cached if image_check_id(step) not in plan or image_check_id(step) in cached)
        return {step: {output.name: output.digest for output in cached[step].outputs} for step in visible}


def output_digest(files: Mapping[str, OutputDigests], ref: OutputRef) -> str | None:
    """Return the digest of an output, None if the output does not exist."""
    return files.get(ref.step, {}).get(ref.name)

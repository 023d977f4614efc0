"""What the store has of a story, found once and kept up to date while it is made."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from engine.planning.plan import PlanError, PlanningError, Ref
from engine.planning.planner import Upto, plan_story
from engine.planning.step_ids import inspection_id
from engine.server.jobs.stories import Record
from engine.service import Service
from engine.storage.artifact_store import Output, StoreError
from engine.story.model import Story

Files = Mapping[str, str]
"""Name of an output → digest."""
KEPT = 2000


class Shelf:
    """Step id → files, per story. The truth is in the store; this spares planning and looking at every question."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: OrderedDict[tuple[str, int], dict[str, Files]] = OrderedDict()
        self._using = threading.Lock()
        self._news: dict[str, int] = {}

    def of(self, record: Record) -> Mapping[str, Files]:
        """What there is of the story as it is now. Nothing before it is written."""
        if not isinstance(record.told, Story):
            return {}
        key = (record.id, record.revision)
        with self._using:  # also while looking, or what is made meanwhile would be missed
            if key not in self._known:
                self._known[key] = self._look(record.told, "clips" if record.api == "story" else "keyframes")
                while len(self._known) > KEPT:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            return dict(self._known[key])

    def add(self, story_id: str, step: str, outputs: tuple[Output, ...]) -> None:
        """A step of the story was made."""
        files = {output.name: output.digest for output in outputs}
        with self._using:
            self._news[story_id] = self._news.get(story_id, 0) + 1
            for key, known in self._known.items():
                if key[0] == story_id:
                    known[step] = files

    def news(self, story_id: str) -> int:
        """Counts what was made of a story since it last changed."""
        return self._news.get(story_id, 0)

    def drop(self, story_id: str) -> None:
        """The story changed, or is no more."""
        with self._using:
            self._news.pop(story_id, None)
            for key in [key for key in self._known if key[0] == story_id]:
                del self._known[key]

    def _look(self, story: Story, upto: Upto) -> dict[str, Files]:
        try:
            plan = plan_story(story, self._service.catalog, upto).plan
            made = self._service.runner.recall(plan)
        except (PlanningError, PlanError, StoreError):
            return {}
        seen = (step for step in made if inspection_id(step) not in plan or inspection_id(step) in made)
        return {step: {output.name: output.digest for output in made[step].outputs} for step in seen}


def file_of(files: Mapping[str, Files], ref: Ref) -> str | None:
    """The digest of an output, if it is there."""
    return files.get(ref.step, {}).get(ref.name)

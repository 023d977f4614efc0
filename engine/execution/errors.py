"""Why a run ended before its goal, in the client's words."""

from __future__ import annotations

from collections.abc import Mapping

from engine.execution.protocol import BAD_INPUT, DISK_FULL, MISSING, REJECTED, Failure
from engine.planning.step_ids import sanitize_id
from engine.story.model import NARRATOR_SAMPLE_FIELD
from pipelines.base import Kind


class RunFailed(RuntimeError):
    """Steps could not be done. `failures` says which and why; all that was finished is kept."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        # A refusal is what the user must hear of first.
        self.failures = dict(sorted(failures.items(), key=lambda item: item[1].code != REJECTED))
        step, failure = next(iter(self.failures.items()))
        more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
        super().__init__(describe_failure(step, failure) + more)

    @property
    def rejection(self) -> Failure | None:
        """The refusal by the rules about content, where that is why."""
        return next((failure for failure in self.failures.values() if failure.code == REJECTED), None)

    @property
    def exit_code(self) -> int:
        """2 for bad input, 4 for what this machine lacks, 3 for all else."""
        types = {failure.code for failure in self.failures.values()}
        return 2 if types & {BAD_INPUT, REJECTED} else 4 if types & {MISSING, DISK_FULL} else 3


class RunCancelled(RuntimeError):
    """The run was stopped; all that was finished is kept."""


def describe_failure(step: str, failure: Failure) -> str:
    """A failure in the client's words: the field where there is one, else the step."""
    if failure.code == REJECTED:
        return f"{failure.field}: content_rejected ({failure.category}: {failure.message})"
    place = _failure_field(step, failure)
    hint = "" if failure.code == BAD_INPUT else f" [{failure.code}]"
    return f"{place}: {failure.message}{hint}"


def _failure_field(step: str, failure: Failure) -> str:
    kind, _, subject = step.partition(":")
    if step.startswith(sanitize_id("")):
        return subject
    if failure.code == BAD_INPUT:
        if kind == Kind.NARRATE:
            return (
                NARRATOR_SAMPLE_FIELD
                if failure.field == NARRATOR_SAMPLE_FIELD
                else f"scenes[{int(subject) - 1}].narration"
            )
        if kind == Kind.SAMPLE_FRAMES:
            return f"scenes[{int(subject) - 1}].clip"
        if kind == Kind.KEYFRAME:
            return f"scenes[{int(subject) - 1}].prompt"
        if kind in (Kind.WRITE, Kind.READ):
            return failure.field or kind
    return step

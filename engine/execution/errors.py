"""Errors that end a run, in the client's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.execution.protocol import Failure, FailureCode
from engine.planning.step_ids import StepId
from engine.story.field_path import FieldPath
from engine.story.model import NARRATOR_SAMPLE_FIELD
from pipelines.step_params import CONTRACTS

RenameField = Callable[[FieldPath], FieldPath]
"""Maps a field of a story to the field of the API in which the client sent it."""


class RunFailed(RuntimeError):
    """Steps of a run failed. `failures`: step id → failure, rejected content first; finished steps stay in the store."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        self.failures = dict(sorted(failures.items(), key=lambda item: item[1].code != FailureCode.REJECTED))
        super().__init__(self.describe())

    def describe(self, rename: RenameField = lambda field: field) -> str:
        """Return the first failure and the number of the others, with fields renamed."""
        step, failure = next(iter(self.failures.items()))
        more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
        return describe_failure(step, failure, rename) + more

    @property
    def rejection(self) -> Failure | None:
        """The failure of a content check; None if no content was rejected."""
        return next((failure for failure in self.failures.values() if failure.code == FailureCode.REJECTED), None)

    @property
    def exit_code(self) -> int:
        """2 for bad input, 4 for a missing dependency or a full disk, 3 for other failures."""
        codes = {failure.code for failure in self.failures.values()}
        if codes & {FailureCode.BAD_INPUT, FailureCode.REJECTED}:
            return 2
        return 4 if codes & {FailureCode.MISSING, FailureCode.DISK_FULL} else 3


class RunCancelled(RuntimeError):
    """The run was cancelled; finished steps stay in the store."""


def describe_failure(step: str, failure: Failure, rename: RenameField = lambda field: field) -> str:
    """Return a failure in the client's terms: the field where there is one, else the step."""
    if failure.code == FailureCode.REJECTED:
        field = rename(FieldPath.parse(failure.field))
        return f"{field}: content_rejected ({failure.category}: {failure.message})"
    field_path = failure_field(step, failure)
    place = step if field_path is None else rename(field_path)
    hint = "" if failure.code == FailureCode.BAD_INPUT else f" [{failure.code}]"
    return f"{place}: {failure.message}{hint}"


def failure_field(step: str, failure: Failure) -> FieldPath | None:
    """Return the field of the story that a client changes after this failure; None if there is none."""
    step_id = StepId.parse(step)
    if step_id is None:
        return None
    if isinstance(step_id.subject, FieldPath):
        return step_id.subject
    if failure.code != FailureCode.BAD_INPUT:
        return None
    if failure.field == NARRATOR_SAMPLE_FIELD:
        return NARRATOR_SAMPLE_FIELD
    contract = CONTRACTS[step_id.kind]
    if step_id.scene is not None and contract.scene_field:
        return FieldPath("scenes", step_id.scene, contract.scene_field)
    if contract.names_request_fields and failure.field:
        return FieldPath.parse(failure.field)
    return None

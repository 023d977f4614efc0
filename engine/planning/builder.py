"""The builder of plans: models, seeds, checks and warnings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from engine.planning.plan import (
    OutputRef,
    Plan,
    PlanningError,
    PlanningErrorCode,
    PlanResult,
    Step,
    StepInput,
    StoredInput,
    check_contracts,
)
from engine.planning.step_ids import (
    IDEA_CHECK_ID,
    TEXT_CHECK_ID,
    encode_id,
    enhance_id,
    image_check_id,
    sanitize_id,
    scene_id,
    stored_input,
)
from engine.story.field_path import FieldPath
from engine.story.model import Brief, InputFile, StoryBase, user_texts
from pipelines.base import Kind, MissingDependency, ModelSpec, Params
from pipelines.models.catalog import Catalog, CatalogError
from pipelines.step_params import (
    AnimateParams,
    CheckImageParams,
    CheckTextParams,
    EncodePromptParams,
    EnhanceParams,
    ImageParams,
    OutputName,
    SampleFramesParams,
    SanitizeImageParams,
)


@dataclass
class PlanBuilder:
    """Resolves models, derives seeds, adds the steps that check pictures, and collects warnings.

    Raises PlanningError for an unknown or unsuitable model, MissingDependency for one that is not installed."""

    story: StoryBase
    catalog: Catalog

    def __post_init__(self) -> None:
        try:
            self.profile = self.catalog.profile(self.story.choices.profile)
        except CatalogError as error:
            raise _planning_error("profile", error) from error
        self.steps: list[Step] = []
        # Step id of a picture or digest of an input clip → id of its check; None: no model for checks is installed.
        self.image_check_ids: dict[str, str] | None = {}
        self.warnings: dict[str, None] = {}
        if self.catalog.profiles[self.profile].device_mb > self.catalog.device_mb:
            self.warnings[f"profile {self.profile} {self.catalog.profile_shortfall(self.profile)}"] = None

    def resolve_model(self, kind: Kind, tool_or_alias: str | None = None, language: str | None = None) -> ModelSpec:
        """Return the model for a kind of step: the one in `models` of the story, else the one of the tool or alias,
        else the default."""
        try:
            choice = self.catalog.choose(
                self._requested_model(kind, tool_or_alias), kind, profile=self.profile, language=language
            )
        except CatalogError as error:
            raise _planning_error(f"models.{kind}", error) from error
        for skipped, reason in choice.skipped:
            clause = f"is {reason}" if reason.is_fixable else str(reason)
            self.warnings[f"{kind}: {choice.spec.name} serves instead of {skipped}, which {clause}"] = None
        return choice.spec

    def _requested_model(self, kind: Kind, tool_or_alias: str | None) -> str:
        """Return the name of the model or alias that the story asks for."""
        tools = self.catalog.video_tools if kind is Kind.ANIMATE else self.catalog.image_tools
        return self.story.choices.models.get(kind) or (
            tools.get(tool_or_alias, tool_or_alias) if tool_or_alias else self.catalog.kinds[kind]
        )

    def pick_model_with_audio(self, tool: str | None) -> str | None:
        """Return the name by which to ask for clips with sound: the first available model of the tool that generates
        audio, else the tool itself, with a warning that the clips are silent."""
        chosen = self.resolve_model(Kind.ANIMATE, tool)
        if chosen.generates_audio:
            return tool
        candidates = [
            one
            for one in self.catalog.candidates(self._requested_model(Kind.ANIMATE, tool), self.profile)
            if one.generates_audio
        ]
        available = [one.name for one in candidates if self.catalog.unsuitable_reason(one, Kind.ANIMATE) is None]
        if available:
            return available[0]
        more = f"; `python -m engine models pull {candidates[0].name}` brings one that does" if candidates else ""
        self.warnings[f"native_audio: {chosen.name} makes no sound, its clips are silent{more}"] = None
        return tool

    def add_step(
        self,
        step_id: str,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, tuple[StepInput, ...]] | None = None,
        *,
        tool_or_alias: str | None = None,
        language: str | None = None,
    ) -> None:
        take = self.story.takes.get(step_id, 0)
        seed_text = f"{self.story.seed}/{step_id}" + (f"/{take}" if take else "")
        digest = hashlib.sha256(seed_text.encode()).digest()
        spec = self.resolve_model(kind, tool_or_alias, language)
        inputs = {role: sources for role, sources in (inputs or {}).items() if sources}
        if spec.encodes_prompt and isinstance(params, ImageParams | AnimateParams):
            # The encoding has no seed and no take, so that a re-roll with the same prompt reads it from the cache.
            encoding = Step(
                encode_id(step_id),
                Kind.ENCODE_PROMPT,
                spec,
                EncodePromptParams(prompt=params.full_prompt()),
            )
            self.steps.append(encoding)
            inputs["prompt_embeds"] = (OutputRef(encoding.id, OutputName.PROMPT_EMBEDS),)
        self.steps.append(
            Step(
                id=step_id,
                kind=kind,
                spec=spec,
                params=params,
                inputs=inputs,
                seed=int.from_bytes(digest[:4], "big"),
                take=take,
            )
        )

    def add_sanitize_steps(
        self, pictures: Iterable[tuple[FieldPath, InputFile]], *, width: int | None = None, height: int | None = None
    ) -> None:
        params = SanitizeImageParams(width=width, height=height)
        for field_path, picture in pictures:
            self.add_step(sanitize_id(field_path), Kind.SANITIZE_IMAGE, params, {"image": (stored_input(picture),)})
            self.add_image_check(sanitize_id(field_path), OutputName.IMAGE, field_path)

    def add_text_check(self) -> None:
        params = CheckTextParams(texts=user_texts(self.story), strictness=self.story.strictness)
        self.add_step(IDEA_CHECK_ID if isinstance(self.story, Brief) else TEXT_CHECK_ID, Kind.CHECK_TEXT, params)

    def add_image_check(self, step_id: str, name: str, field_path: FieldPath) -> None:
        """Add the check of the picture `name` of a step, if a model for checks is installed."""
        if self.image_check_ids is None:
            return
        check_id = image_check_id(step_id)
        params = CheckImageParams(field=str(field_path), strictness=self.story.strictness)
        try:
            self.add_step(check_id, Kind.CHECK_IMAGE, params, {"image": (OutputRef(step_id, name),)})
        except MissingDependency:
            self.image_check_ids = None
            return
        self.image_check_ids[step_id] = check_id

    def add_input_clip_check(self, number: int, clip: InputFile) -> None:
        """Add the check of sample frames of the clip that the client gave for scene `number`."""
        self._add_clip_check(
            number,
            stored_input(clip),
            scene_id(Kind.SAMPLE_FRAMES, number),
            clip.digest,
            FieldPath("scenes", number, "clip"),
        )

    def add_generated_clip_check(self, number: int, field_path: FieldPath) -> None:
        """Add the check of sample frames of the generated clip of scene `number`. `field_path`: the field that the
        client would change."""
        step_id = scene_id(Kind.ANIMATE, number)
        self._add_clip_check(number, OutputRef(step_id, OutputName.CLIP), step_id, step_id, field_path)

    def _add_clip_check(
        self, number: int, clip: StepInput, checked_step: str, gated_source: str, field_path: FieldPath
    ) -> None:
        """Add the steps that sample and check a clip. Steps that read `gated_source`, a step id or a digest, wait
        for the check."""
        if self.image_check_ids is None:
            return
        try:
            self.resolve_model(Kind.CHECK_IMAGE)
        except MissingDependency:
            self.image_check_ids = None
            return
        sample_step = scene_id(Kind.SAMPLE_FRAMES, number)
        self.add_step(sample_step, Kind.SAMPLE_FRAMES, SampleFramesParams(), {"clip": (clip,)})
        params = CheckImageParams(field=str(field_path), strictness=self.story.strictness)
        self.add_step(
            image_check_id(checked_step),
            Kind.CHECK_IMAGE,
            params,
            {"image": (OutputRef(sample_step, OutputName.FRAMES),)},
        )
        self.image_check_ids[gated_source] = image_check_id(checked_step)

    def add_enhance_step(self, step_id: str, name: str) -> None:
        """Add the step that adds detail to the picture `name` of a portrait or element, if the story asks for it."""
        if self.story.enhance_elements:
            self.add_step(enhance_id(step_id), Kind.ENHANCE, EnhanceParams(), {"image": (OutputRef(step_id, name),)})

    def build(self) -> PlanResult:
        """Return the plan. Every step that reads a checked picture waits for the check.

        Raises InvalidPlan if a step breaks the contract of its kind."""
        check_ids = self.image_check_ids or {}
        steps = []
        for step in self.steps:
            files = {one.digest for sources in step.inputs.values() for one in sources if isinstance(one, StoredInput)}
            image_checks = sorted({check_ids[need] for need in (step.dependencies() | files) & check_ids.keys()})
            must_wait = image_checks and step.kind not in (Kind.CHECK_IMAGE, Kind.SAMPLE_FRAMES)
            steps.append(replace(step, after=tuple(image_checks)) if must_wait else step)
        plan = Plan(tuple(steps))
        check_contracts(plan)
        return PlanResult(plan, self.profile, tuple(self.warnings))


def _planning_error(field_path: str, error: CatalogError) -> PlanningError:
    """Return the error of the catalog as an error of a field of the request."""
    return PlanningError(
        field_path, str(error), PlanningErrorCode(error.code), value=error.value, redacted=error.redacted
    )

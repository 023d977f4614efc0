"""A plan in the making."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from engine.planning.plan import Given, Plan, Planned, PlanningError, Ref, Source, Step
from engine.planning.step_ids import (
    IDEA_CHECK,
    TEXT_CHECK,
    enhanced_id,
    given_source,
    inspection_id,
    intake_id,
    scene_id,
)
from engine.story.model import Brief, Picture, Told, texts
from pipelines.base import Kind, Missing, ModelSpec, Params
from pipelines.models.catalog import Catalog, CatalogError
from pipelines.step_params import (
    AnimateParams,
    CheckParams,
    EncodeParams,
    EnhanceParams,
    GlimpseParams,
    InspectParams,
    IntakeParams,
    PictureParams,
)


@dataclass
class Draft:
    """Resolves models, derives seeds, adds the steps that look at what is shown, collects warnings. Raises PlanningError, Missing."""

    told: Told
    catalog: Catalog

    def __post_init__(self) -> None:
        try:
            self.profile = self.catalog.profile(self.told.choices.profile)
        except CatalogError as error:
            raise PlanningError(f"profile: {error}") from error
        self.steps: list[Step] = []
        # Step of a picture, or digest of a given clip → step that looks at it; None: nobody can.
        self.inspected: dict[str, str] | None = {}
        self.warnings: dict[str, None] = {}
        if self.catalog.profiles[self.profile].device_mb > self.catalog.device_mb:
            self.warnings[f"profile {self.profile} {self.catalog.short_of(self.profile)}"] = None

    def model(self, kind: Kind, name: str | None = None, language: str | None = None) -> ModelSpec:
        """The model for a kind of step: named in `models`, else by tool or alias `name`, else the kind's default."""
        try:
            choice = self.catalog.choose(self._asked(kind, name), kind, profile=self.profile, language=language)
        except CatalogError as error:
            raise PlanningError(f"models.{kind}: {error}") from error
        for passed, reason in choice.passed_over:
            why = f"is {reason}" if reason.startswith("not ") else reason
            self.warnings[f"{kind}: {choice.spec.name} serves instead of {passed}, which {why}"] = None
        return choice.spec

    def _asked(self, kind: Kind, name: str | None) -> str:
        """The model or alias by which a kind of step is asked for."""
        tools = self.catalog.video_tools if kind is Kind.ANIMATE else self.catalog.image_tools
        return self.told.choices.models.get(kind) or (tools.get(name, name) if name else self.catalog.kinds[kind])

    def sounding(self, tool: str | None) -> str | None:
        """By which name clips are asked for that are to bring their own sound: the first model behind the tool that makes sound, where
        one is here; else the tool itself, and the client is told that its clips are silent."""
        chosen = self.model(Kind.ANIMATE, tool)
        if chosen.sounds:
            return tool
        able = [one for one in self.catalog.candidates(self._asked(Kind.ANIMATE, tool), self.profile) if one.sounds]
        here = [one.name for one in able if self.catalog.unfit(one, Kind.ANIMATE) is None]
        if here:
            return here[0]
        more = f"; `python -m engine models pull {able[0].name}` brings one that does" if able else ""
        self.warnings[f"native_audio: {chosen.name} makes no sound, its clips are silent{more}"] = None
        return tool

    def add(
        self,
        step_id: str,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, tuple[Source, ...]] | None = None,
        *,
        name: str | None = None,
        language: str | None = None,
    ) -> None:
        take = self.told.takes.get(step_id, 0)
        words = f"{self.told.seed}/{step_id}" + (f"/{take}" if take else "")  # made anew means with other dice
        digest = hashlib.sha256(words.encode()).digest()
        spec = self.model(kind, name, language)
        inputs = {role: sources for role, sources in (inputs or {}).items() if sources}
        if spec.encodes and isinstance(params, PictureParams | AnimateParams):
            # No dice in it: whatever is made anew with the same words finds them encoded.
            encoding = Step(f"{Kind.ENCODE}:{step_id}", Kind.ENCODE, spec, EncodeParams(prompt=params.words()))
            self.steps.append(encoding)
            inputs["words"] = (Ref(encoding.id, "words.safetensors"),)
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

    def intake(
        self, pictures: Iterable[tuple[str, Picture]], *, width: int | None = None, height: int | None = None
    ) -> None:
        params = IntakeParams(width=width, height=height)
        for place, picture in pictures:
            self.add(intake_id(place), Kind.INTAKE, params, {"picture": (given_source(picture),)})
            self.inspect(intake_id(place), "picture.png", place)

    def check(self) -> None:
        params = CheckParams(texts=texts(self.told), strictness=self.told.strictness)
        self.add(IDEA_CHECK if isinstance(self.told, Brief) else TEXT_CHECK, Kind.CHECK, params)

    def inspect(self, step_id: str, name: str, place: str) -> None:
        """The picture `name` of a step is looked at, where a model for that is installed."""
        if self.inspected is None:
            return
        inspection = inspection_id(step_id)
        params = InspectParams(field=place, strictness=self.told.strictness)
        try:
            self.add(inspection, Kind.INSPECT, params, {"picture": (Ref(step_id, name),)})
        except Missing:
            self.inspected = None
            return
        self.inspected[step_id] = inspection

    def inspect_given_clip(self, number: int, clip: Picture) -> None:
        """A few frames of the given clip of scene `number` are looked at, before anything else is."""
        self._inspect_clip(
            number, given_source(clip), scene_id(Kind.GLIMPSE, number), clip.digest, f"scenes[{number}].clip"
        )

    def inspect_made_clip(self, number: int, place: str) -> None:
        """So are those of the clip that was made of scene `number`; `place` is what its client would change."""
        made = scene_id(Kind.ANIMATE, number)
        self._inspect_clip(number, Ref(made, "clip.mp4"), made, made, place)

    def _inspect_clip(self, number: int, clip: Source, looked_at: str, waits: str, place: str) -> None:
        """`waits`: the step, or the digest, whose readers wait until it was looked at."""
        if self.inspected is None:
            return
        try:
            self.model(Kind.INSPECT)
        except Missing:
            self.inspected = None
            return
        glimpse = scene_id(Kind.GLIMPSE, number)
        self.add(glimpse, Kind.GLIMPSE, GlimpseParams(), {"clip": (clip,)})
        params = InspectParams(field=place, strictness=self.told.strictness)
        self.add(inspection_id(looked_at), Kind.INSPECT, params, {"picture": (Ref(glimpse, "frame-*"),)})
        self.inspected[waits] = inspection_id(looked_at)

    def enhance(self, step_id: str, name: str) -> None:
        """The picture `name` of a portrait or element gets a pass for detail, where that is wished."""
        if self.told.enhance_elements:
            self.add(enhanced_id(step_id), Kind.ENHANCE, EnhanceParams(), {"picture": (Ref(step_id, name),)})

    def done(self) -> Planned:
        """What is refused goes no further: whatever reads a picture waits until it was looked at."""
        inspected = self.inspected or {}
        steps = []
        for step in self.steps:
            files = {one.digest for sources in step.inputs.values() for one in sources if isinstance(one, Given)}
            looked_at = sorted({inspected[need] for need in (step.needs() | files) & inspected.keys()})
            waits = looked_at and step.kind not in (Kind.INSPECT, Kind.GLIMPSE)
            steps.append(replace(step, after=tuple(looked_at)) if waits else step)
        return Planned(Plan(tuple(steps)), self.profile, tuple(self.warnings))

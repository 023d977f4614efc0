"""The illustrator family: storyboard images drawn from text, without a text-to-image model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pipelines.base import Device, Kind, MissingDependency, ModelSpec, Params, Report
from pipelines.media.layers import Layer, Layers
from pipelines.step_params import ElementParams, KeyframeParams, PortraitParams

if TYPE_CHECKING:
    from pipelines.image.illustrator.language.setting import Setting
    from pipelines.image.illustrator.resolved import CharacterFigure, LocationFigure, ObjectFigure


class Illustrator:
    """Portraits, elements and keyframes as flat vector pictures. The same words and seed give the same bytes.

    A portrait resolves words into attributes once and leaves them in `figure.json`; keyframes draw from those alone. A
    keyframe leaves its layers beside it, far to near, so that a camera can move them apart.
    """

    name: ClassVar[str] = "illustrator"
    version: ClassVar[str] = "5"
    params: ClassVar[Mapping[Kind, type[Params]]] = {
        Kind.PORTRAIT: PortraitParams,
        Kind.ELEMENT: ElementParams,
        Kind.KEYFRAME: KeyframeParams,
    }

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        try:
            import resvg_py  # noqa: F401  fails here with the command that installs it
        except ImportError as error:
            raise MissingDependency(
                "The illustrator draws with resvg-py: pip install 'story-engine[draft]'."
            ) from error
        return cls()

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        match params:
            case PortraitParams():
                return self._portrait(params, inputs, out, report, seed)
            case ElementParams():
                return self._element(params, inputs, out, report, seed)
            case KeyframeParams():
                return self._keyframe(params, inputs, out, report, seed)
        raise TypeError(f"not a step of the illustrator: {kind}")

    def close(self) -> None:
        return None

    def _portrait(
        self, params: PortraitParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> list[Path]:
        from pipelines.image.illustrator.language.appearance import (
            apply_state,
            recognised,
            resolve_appearance,
            stable_seed,
        )
        from pipelines.image.illustrator.render import render_portrait
        from pipelines.image.illustrator.resolved import CharacterFigure, find_base_figure

        base = find_base_figure(inputs)
        own = stable_seed(params.name, seed)
        looks = base.appearance if base else resolve_appearance(params.appearance, own, params.name)
        if params.appearance and not base and not recognised(params.appearance):
            report.warn(f"Nothing in the description of {params.name} was understood: the looks are made up.")
        if params.state is not None or params.state_appearance:
            looks = apply_state(looks, f"{params.state_appearance}. {params.state or ''}")
        figure = CharacterFigure(name=params.name, state=params.state, appearance=looks)
        if base:
            figure = figure.model_copy(update={"face_image": base.face_image, "full_body_image": base.full_body_image})
        files = []
        if inputs.get("reference"):
            figure, cut = _with_reference_image(figure, inputs["reference"][0])
            files.append(_write(out / "figure.png", cut))
        portrait = _write(out / "portrait.png", render_portrait(figure, (params.width, params.height)))
        return [portrait, _write(out / "figure.json", figure.model_dump_json().encode()), *files]

    def _element(
        self, params: ElementParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> list[Path]:
        from pipelines.image.illustrator.language.appearance import stable_seed
        from pipelines.image.illustrator.language.setting import parse_setting
        from pipelines.image.illustrator.props.props import parse_prop
        from pipelines.image.illustrator.render import render_location, render_object
        from pipelines.image.illustrator.resolved import LocationFigure, ObjectFigure, encode_base64
        from pipelines.media.images import cover, flatten_alpha, open_image, png_bytes

        own = stable_seed(params.name, seed)
        size = (params.width, params.height)
        given = open_image(inputs["reference"][0], "reference") if inputs.get("reference") else None
        files = []
        figure: LocationFigure | ObjectFigure
        if params.role == "location":
            place, known = parse_setting(params.name, params.description, params.setting, own)
            picture = png_bytes(cover(flatten_alpha(given), *size)) if given else None
            figure = LocationFigure(name=params.name, setting=place, image=encode_base64(picture) if picture else None)
            element = picture or png_bytes(render_location(figure, size))
        else:
            thing, known = parse_prop(params.name, params.description, own)
            picture = png_bytes(cover(flatten_alpha(given), 320, 320)) if given else None
            figure = ObjectFigure(name=params.name, spec=thing, image=encode_base64(picture) if picture else None)
            element = render_object(figure, size)
        if picture:
            files.append(_write(out / "figure.png", picture))
        elif not known:
            report.warn(f"Nothing in the words for {params.name} was understood: it is made up.")
        return [
            _write(out / "element.png", element),
            _write(out / "figure.json", figure.model_dump_json().encode()),
            *files,
        ]

    def _keyframe(
        self, params: KeyframeParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> list[Path]:
        from pipelines.image.illustrator.render import render_scene
        from pipelines.image.illustrator.resolved import read_figures
        from pipelines.media.conversation import write_turn
        from pipelines.media.images import png_bytes

        figures = read_figures(inputs.get("figures", ()))
        cast = _cast(params, figures)
        place = _setting(params, figures)
        others = _bystanders(params, many=bool(cast))
        if not cast:
            cast, others = others, []
        things = _scene_props(params, figures, place.setting, params.scene_text)
        report.progress(0.1, "drawing")
        painted = render_scene(
            cast, things, place, params.scene_text, params.number, (params.width, params.height), seed, others
        )
        keyframe = _write(out / "keyframe.png", png_bytes(painted.frame, 3))
        files = [keyframe]
        layers = []
        for index, (png, depth) in enumerate(painted.layers):
            path = _write(out / f"layer-{index:02d}.png", png)
            layers.append(Layer(file=path.name, depth=depth))
            files.append(path)
        told = Layers(
            width=params.width, height=params.height, margin=painted.margin, focus=painted.focus, layers=tuple(layers)
        )
        files.append(_write(out / "layers.json", told.model_dump_json().encode()))
        before = inputs.get("previous_context", ())
        files.append(write_turn(params, before[0] if before else None, keyframe, out))
        return files


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _with_reference_image(figure: CharacterFigure, path: Path) -> tuple[CharacterFigure, bytes]:
    """Return the figure with the face crop and cut-out of a user image."""
    from pipelines.image.illustrator.cutouts import clothing_colours, crop_face, cut_out_full_body
    from pipelines.image.illustrator.resolved import encode_base64
    from pipelines.media.images import open_image, png_bytes

    given = open_image(path, "reference")
    whole = cut_out_full_body(given)
    if whole is not None:
        cut = png_bytes(whole)
        return figure.model_copy(update={"full_body_image": encode_base64(cut), "face_image": None}), cut
    cut = png_bytes(crop_face(given))
    top, bottom = clothing_colours(given)
    looks = figure.appearance.model_copy(update={"top_colour": top, "bottom_colour": bottom})
    return figure.model_copy(update={"face_image": encode_base64(cut), "appearance": looks}), cut


def _cast(params: KeyframeParams, figures: Sequence[object]) -> list[CharacterFigure]:
    """Return the cast in scene order. Characters without a figure are drawn from text."""
    from pipelines.image.illustrator.language.appearance import apply_state, resolve_appearance, stable_seed
    from pipelines.image.illustrator.resolved import CharacterFigure

    known = [figure for figure in figures if isinstance(figure, CharacterFigure)]
    cast = []
    for person in params.characters:
        same = [figure for figure in known if figure.name == person.name]
        exact = [figure for figure in same if figure.state == person.state]
        if exact:
            cast.append(exact[0])
            continue
        base = next((figure for figure in same if figure.state is None), same[0] if same else None)
        if base is None:
            looks = resolve_appearance(person.appearance, stable_seed(person.name), person.name)
            base = CharacterFigure(name=person.name, appearance=looks)
        if person.state is not None:
            looks = apply_state(base.appearance, f"{person.appearance}. {person.state}")
            base = base.model_copy(update={"state": person.state, "appearance": looks})
        cast.append(base)
    return cast


def _setting(params: KeyframeParams, figures: Sequence[object]) -> LocationFigure:
    """The location's figure in the hour and weather of this scene."""
    from pipelines.image.illustrator.language.appearance import stable_seed
    from pipelines.image.illustrator.language.lexicon import load_lexicon
    from pipelines.image.illustrator.language.setting import apply_time_and_weather, parse_setting
    from pipelines.image.illustrator.resolved import LocationFigure

    known = [figure for figure in figures if isinstance(figure, LocationFigure)]
    figure = next((f for f in known if f.name == params.location), known[0] if known and params.location else None)
    if figure is None:
        words = params.location_description or ("" if params.location else params.scene_text)
        name = params.location
        place, understood = parse_setting(name, words, "", stable_seed(name or "nowhere"))
        if not understood:
            place, _ = parse_setting(
                name, f"{params.scene_text}. {params.setting}", "", stable_seed(name or params.setting or "nowhere")
            )
        figure = LocationFigure(name=name, setting=place)
    hits = load_lexicon().find_concepts(params.scene_text)
    general = load_lexicon().find_concepts(params.setting)
    place = figure.setting
    if not any(hit.group in ("time", "weather") for hit in (*load_lexicon().find_concepts(params.location), *hits)):
        place = apply_time_and_weather(place, general)
    return figure.model_copy(update={"setting": apply_time_and_weather(place, hits)})


def _scene_props(params: KeyframeParams, figures: Sequence[object], place: Setting, scene: str) -> list[ObjectFigure]:
    """Return the objects that the scene lists and those that its text names."""
    from pipelines.image.illustrator.language.appearance import COLOURS, FUR_COLOURS, stable_seed
    from pipelines.image.illustrator.language.scene_parser import background_animals, find_prop_mentions, is_close_up
    from pipelines.image.illustrator.props.props import PROPS, PropSpec, parse_prop
    from pipelines.image.illustrator.resolved import CharacterFigure, ObjectFigure

    known = {figure.name: figure for figure in figures if isinstance(figure, ObjectFigure)}
    things = []
    for named in params.objects:
        thing, _ = parse_prop(named.name, named.description, stable_seed(named.name))
        things.append(known.get(named.name) or ObjectFigure(name=named.name, spec=thing))
    have = {thing.spec.kind for thing in things}
    # Do not repeat props that the backdrop shows.
    scenery = {"tree", "house", "lighthouse", "table", "flower"}
    if place.kind not in ("river", "lake", "beach", "cove"):
        scenery.add("boat")
    if place.indoors:
        # Rooms have their own hearth.
        scenery.add("fire")
    cast = [person.name for person in params.characters]
    for mention in find_prop_mentions(cast, scene):
        # A lamp or a letter that no actor touches is more often a figure of speech than a prop.
        shown = (
            mention.held
            or mention.near_name
            or mention.on_surface
            or PROPS[mention.kind].anchor not in ("hand", "belly")
        )
        shown = (shown and bool(cast)) or is_close_up(scene)
        if shown and mention.kind not in have | scenery and len(things) < len(params.objects) + 2:
            usual = place.boat_colour if mention.kind == "boat" and place.boat_colour else PROPS[mention.kind].colour
            colour = COLOURS[mention.colour] if mention.colour else usual
            things.append(ObjectFigure(name="", spec=PropSpec(kind=mention.kind, colour=colour)))
            have.add(mention.kind)
    played = {figure.appearance.species for figure in figures if isinstance(figure, CharacterFigure)}
    for species, tint in background_animals(scene, place.kind):
        if species not in played | have and len(things) < len(params.objects) + 3:
            colour = COLOURS[tint] if tint else FUR_COLOURS[species]
            things.append(ObjectFigure(name="", spec=PropSpec(kind=species, colour=colour)))
            have.add(species)
    return things


def _bystanders(params: KeyframeParams, *, many: bool) -> list[CharacterFigure]:
    """People without a name of whom the scene speaks, the same in every scene of a story; `many`: groups alone, since a
    woman or a boy beside a cast is mostly one of the cast."""
    from pipelines.image.illustrator.language.appearance import resolve_appearance, stable_seed
    from pipelines.image.illustrator.language.scene_parser import bystanders
    from pipelines.image.illustrator.resolved import CharacterFigure

    people = bystanders(params.scene_text)
    if many and len(people) < 2:
        return []
    return [
        CharacterFigure(name="", appearance=resolve_appearance(words, stable_seed("company", index, params.setting)))
        for index, words in enumerate(people)
    ]

"""The draft profile's pictures: a storyboard artist's frames, drawn from words without any text-to-image model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pipelines.base import Device, Kind, Missing, ModelSpec, Params, Report
from pipelines.media.layers import Layer, Layers
from pipelines.step_params import ElementParams, KeyframeParams, PortraitParams

if TYPE_CHECKING:
    from pipelines.image.illustrator.language.setting import Place
    from pipelines.image.illustrator.resolved import CharacterFigure, PlaceFigure, ThingFigure


class Illustrator:
    """Portraits, elements and keyframes as flat vector pictures. The same words and seed give the same bytes.

    A portrait resolves words into attributes once and leaves them in `figure.json`; keyframes draw from those alone. A
    keyframe leaves its layers beside it, far to near, so that a camera can move them apart.
    """

    name: ClassVar[str] = "illustrator"
    version: ClassVar[str] = "4"
    params: ClassVar[Mapping[Kind, type[Params]]] = {
        Kind.PORTRAIT: PortraitParams,
        Kind.ELEMENT: ElementParams,
        Kind.KEYFRAME: KeyframeParams,
    }

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        try:
            import resvg_py  # noqa: F401  its absence is told here, once, with the command that mends it
        except ImportError as error:
            raise Missing("The illustrator draws with resvg-py: pip install 'story-engine[draft]'.") from error
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
        from pipelines.image.illustrator.language.appearance import changed, read_looks, seed_of, understood
        from pipelines.image.illustrator.render import paint_portrait
        from pipelines.image.illustrator.resolved import CharacterFigure, base_of

        base = base_of(inputs)
        own = seed_of(params.name, seed)
        looks = base.looks if base else read_looks(params.appearance, own, params.name)
        if params.appearance and not base and not understood(params.appearance):
            report.warn(f"Nothing in the description of {params.name} was understood: the looks are made up.")
        if params.state is not None or params.state_appearance:
            looks = changed(looks, f"{params.state_appearance}. {params.state or ''}")
        figure = CharacterFigure(name=params.name, state=params.state, looks=looks)
        if base:
            figure = figure.model_copy(update={"picture": base.picture, "whole": base.whole})
        files = []
        if inputs.get("reference"):
            figure, cut = _with_picture(figure, inputs["reference"][0])
            files.append(_write(out / "figure.png", cut))
        portrait = _write(out / "portrait.png", paint_portrait(figure, (params.width, params.height)))
        return [portrait, _write(out / "figure.json", figure.model_dump_json().encode()), *files]

    def _element(
        self, params: ElementParams, inputs: Mapping[str, Sequence[Path]], out: Path, report: Report, seed: int
    ) -> list[Path]:
        from pipelines.image.illustrator.language.appearance import seed_of
        from pipelines.image.illustrator.language.setting import read_place
        from pipelines.image.illustrator.props.props import read_thing
        from pipelines.image.illustrator.render import paint_place, paint_thing
        from pipelines.image.illustrator.resolved import PlaceFigure, ThingFigure, encoded
        from pipelines.media.images import cover, on_white, open_picture, png_bytes

        own = seed_of(params.name, seed)
        size = (params.width, params.height)
        given = open_picture(inputs["reference"][0], "reference") if inputs.get("reference") else None
        files = []
        figure: PlaceFigure | ThingFigure
        if params.role == "location":
            place, known = read_place(params.name, params.description, params.setting, own)
            picture = png_bytes(cover(on_white(given), *size)) if given else None
            figure = PlaceFigure(name=params.name, place=place, picture=encoded(picture) if picture else None)
            element = picture or png_bytes(paint_place(figure, size))
        else:
            thing, known = read_thing(params.name, params.description, own)
            picture = png_bytes(cover(on_white(given), 320, 320)) if given else None
            figure = ThingFigure(name=params.name, thing=thing, picture=encoded(picture) if picture else None)
            element = paint_thing(figure, size)
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
        from pipelines.image.illustrator.render import paint_scene
        from pipelines.image.illustrator.resolved import read_figures
        from pipelines.media.conversation import write_turn
        from pipelines.media.images import png_bytes

        figures = read_figures(inputs.get("figures", ()))
        cast = _cast(params, figures)
        place = _place(params, figures)
        others = _company(params, many=bool(cast))
        if not cast:
            cast, others = others, []
        things = _things(params, figures, place.place, params.scene)
        report.progress(0.1, "drawing")
        painted = paint_scene(
            cast, things, place, params.scene, params.number, (params.width, params.height), seed, others
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
        before = inputs.get("before", ())
        files.append(write_turn(params, before[0] if before else None, keyframe, out))
        return files


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _with_picture(figure: CharacterFigure, path: Path) -> tuple[CharacterFigure, bytes]:
    """The figure with a given picture of the character, and the cut-out that scenes will show."""
    from pipelines.image.illustrator.cutouts import clothes_of, face_of, whole_figure
    from pipelines.image.illustrator.resolved import encoded
    from pipelines.media.images import open_picture, png_bytes

    given = open_picture(path, "reference")
    whole = whole_figure(given)
    if whole is not None:
        cut = png_bytes(whole)
        return figure.model_copy(update={"whole": encoded(cut), "picture": None}), cut
    cut = png_bytes(face_of(given))
    top, bottom = clothes_of(given)
    looks = figure.looks.model_copy(update={"top_colour": top, "bottom_colour": bottom})
    return figure.model_copy(update={"picture": encoded(cut), "looks": looks}), cut


def _cast(params: KeyframeParams, figures: Sequence[object]) -> list[CharacterFigure]:
    """Everyone on stage in the order of the scene; who has no figure is drawn from words."""
    from pipelines.image.illustrator.language.appearance import changed, read_looks, seed_of
    from pipelines.image.illustrator.resolved import CharacterFigure

    known = [figure for figure in figures if isinstance(figure, CharacterFigure)]
    cast = []
    for person in params.on_stage:
        same = [figure for figure in known if figure.name == person.name]
        exact = [figure for figure in same if figure.state == person.state]
        if exact:
            cast.append(exact[0])
            continue
        base = next((figure for figure in same if figure.state is None), same[0] if same else None)
        if base is None:
            looks = read_looks(person.appearance, seed_of(person.name), person.name)
            base = CharacterFigure(name=person.name, looks=looks)
        if person.state is not None:
            looks = changed(base.looks, f"{person.appearance}. {person.state}")
            base = base.model_copy(update={"state": person.state, "looks": looks})
        cast.append(base)
    return cast


def _place(params: KeyframeParams, figures: Sequence[object]) -> PlaceFigure:
    """The location's figure in the hour and weather of this scene."""
    from pipelines.image.illustrator.language.appearance import seed_of
    from pipelines.image.illustrator.language.lexicon import lexicon
    from pipelines.image.illustrator.language.setting import at_time, read_place
    from pipelines.image.illustrator.resolved import PlaceFigure

    known = [figure for figure in figures if isinstance(figure, PlaceFigure)]
    figure = next((f for f in known if f.name == params.location), known[0] if known and params.location else None)
    if figure is None:
        words = params.location_description or ("" if params.location else params.scene)
        name = params.location
        place, understood = read_place(name, words, "", seed_of(name or "nowhere"))
        if not understood:
            place, _ = read_place(
                name, f"{params.scene}. {params.setting}", "", seed_of(name or params.setting or "nowhere")
            )
        figure = PlaceFigure(name=name, place=place)
    hits = lexicon().read(params.scene)
    general = lexicon().read(params.setting)
    place = figure.place
    if not any(hit.group in ("time", "weather") for hit in (*lexicon().read(params.location), *hits)):
        place = at_time(place, general)
    return figure.model_copy(update={"place": at_time(place, hits)})


def _things(params: KeyframeParams, figures: Sequence[object], place: Place, scene: str) -> list[ThingFigure]:
    """The objects that the scene lists, and those that its own words name."""
    from pipelines.image.illustrator.language.appearance import COLOURS, FURS, seed_of
    from pipelines.image.illustrator.language.scene_parser import beasts, close, mentions
    from pipelines.image.illustrator.props.props import PROPS, Thing, read_thing
    from pipelines.image.illustrator.resolved import CharacterFigure, ThingFigure

    known = {figure.name: figure for figure in figures if isinstance(figure, ThingFigure)}
    things = []
    for named in params.objects:
        thing, _ = read_thing(named.name, named.description, seed_of(named.name))
        things.append(known.get(named.name) or ThingFigure(name=named.name, thing=thing))
    have = {thing.thing.kind for thing in things}
    # What the backdrop shows already is not set on the stage once more.
    scenery = {"tree", "house", "lighthouse", "table", "flower"}
    if place.kind not in ("river", "lake", "beach", "cove"):
        scenery.add("boat")
    if place.indoors:
        # Rooms have their own hearth.
        scenery.add("fire")
    cast = [person.name for person in params.on_stage]
    for mention in mentions(cast, scene):
        # A lamp or a letter that nobody touches is a manner of speaking more often than a thing to be seen.
        shown = mention.held or mention.near or mention.laid or PROPS[mention.kind].where not in ("hand", "belly")
        shown = (shown and bool(cast)) or close(scene)
        if shown and mention.kind not in have | scenery and len(things) < len(params.objects) + 2:
            usual = place.boat if mention.kind == "boat" and place.boat else PROPS[mention.kind].colour
            colour = COLOURS[mention.colour] if mention.colour else usual
            things.append(ThingFigure(name="", thing=Thing(kind=mention.kind, colour=colour)))
            have.add(mention.kind)
    played = {figure.looks.species for figure in figures if isinstance(figure, CharacterFigure)}
    for species, tint in beasts(scene, place.kind):
        if species not in played | have and len(things) < len(params.objects) + 3:
            colour = COLOURS[tint] if tint else FURS[species]
            things.append(ThingFigure(name="", thing=Thing(kind=species, colour=colour)))
            have.add(species)
    return things


def _company(params: KeyframeParams, *, many: bool) -> list[CharacterFigure]:
    """People without a name of whom the scene speaks, the same in every scene of a story; `many`: groups alone, since a
    woman or a boy beside a cast is mostly one of the cast."""
    from pipelines.image.illustrator.language.appearance import read_looks, seed_of
    from pipelines.image.illustrator.language.scene_parser import company
    from pipelines.image.illustrator.resolved import CharacterFigure

    people = company(params.scene)
    if many and len(people) < 2:
        return []
    return [
        CharacterFigure(name="", looks=read_looks(words, seed_of("company", index, params.setting)))
        for index, words in enumerate(people)
    ]

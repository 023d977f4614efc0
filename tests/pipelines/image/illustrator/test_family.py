"""The illustrator: what goes in, what comes out, and what stays the same."""

import json
import random
import time
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from pipelines.base import BadInput
from pipelines.image.illustrator import composition
from pipelines.image.illustrator.backdrops.outdoors import OUTDOORS
from pipelines.image.illustrator.canvas import Canvas
from pipelines.image.illustrator.figures import body as body
from pipelines.image.illustrator.figures.animal_heads import SPECIES
from pipelines.image.illustrator.figures.body import POSES, draw_figure
from pipelines.image.illustrator.language.appearance import resolve_appearance
from pipelines.image.illustrator.language.setting import INDOOR_KINDS, Setting
from pipelines.image.illustrator.render import render_location
from pipelines.image.illustrator.resolved import CharacterFigure, LocationFigure
from pipelines.media.conversation import Conversation
from pipelines.media.layers import Layers
from pipelines.step_params import CastMember, NamedElement

MARA = "a 34 year old lighthouse keeper, auburn braid, green oilskin coat, freckles"
SIZES = [(320, 180), (320, 240), (240, 240), (240, 320), (180, 320)]


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def looks_of(folder):
    return json.loads((folder / "figure.json").read_text("utf-8"))["appearance"]


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_same_words_and_seed_give_the_same_bytes(hand):
    assert files_of(hand.portrait("Mara", MARA)) == files_of(hand.portrait("Mara", MARA))
    figure = hand.portrait("Mara", MARA) / "figure.json"
    scenes = [hand.keyframe("Mara waves", ["Mara"], location="harbour", inputs={"figures": [figure]}) for _ in range(2)]
    assert files_of(scenes[0]) == files_of(scenes[1])


def test_another_seed_gives_another_character_where_words_are_silent(hand):
    assert looks_of(hand.portrait("Kim", "", seed=1)) != looks_of(hand.portrait("Kim", "", seed=2))


@pytest.mark.parametrize("size", SIZES)
def test_a_keyframe_is_its_layers_laid_on_each_other(hand, size):
    figure = hand.portrait("Mara", MARA) / "figure.json"
    out = hand.keyframe("Mara walks in the rain", ["Mara"], size=size, location="cove", inputs={"figures": [figure]})
    told = Layers.model_validate_json((out / "layers.json").read_bytes())
    with Image.open(out / "keyframe.png") as keyframe:
        assert (keyframe.size, keyframe.mode, keyframe.format) == (size, "RGB", "PNG")
        frame = keyframe.copy()
    assert (told.width, told.height) == size
    assert told.margin >= 0.07 * size[0]
    assert [layer.depth for layer in told.layers] == sorted(layer.depth for layer in told.layers)
    whole = Image.new("RGBA", (size[0] + 2 * told.margin, size[1] + 2 * told.margin))
    for index, layer in enumerate(told.layers):
        with Image.open(out / layer.file) as picture:
            assert picture.size == whole.size
            assert picture.mode == "RGBA"
            if index == 0:
                assert picture.getchannel("A").getextrema() == (255, 255)
            whole.alpha_composite(picture)
    cut = whole.crop((told.margin, told.margin, told.margin + size[0], told.margin + size[1])).convert("RGB")
    assert cut.tobytes() == frame.tobytes()
    assert 0 <= told.focus[0] <= 1
    assert 0 <= told.focus[1] <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", range(1, 7))
def test_faces_stay_in_the_frame(hand, size, number):
    for count in (1, 2, 3, 4, 5, 6):
        cast = [
            CharacterFigure(name=name, appearance=resolve_appearance(words, 3, name))
            for name, words in list({
                "Mara": MARA, "Tom": "a boy of ten", "Max": "a tall stout man with a top hat", "Fox": "a fox",
                "Lea": "an old woman", "Bo": "a mouse",
            }.items())[:count]
        ]  # fmt: skip
        plan = composition.build_layout(cast, [], "They stand there.", number, *size, random.Random(1))
        assert len(plan.placements) == count
        xs = []
        for one in plan.placements:
            frame = body.body_proportions(one.actor.figure.appearance)
            half = frame.head * 0.5 * one.scale
            face = one.ground_y + (frame.neck - frame.head * 0.43) * one.scale
            assert half <= one.x <= size[0] - half
            assert half * 0.6 <= face <= size[1] - half * 0.6
            xs.append((one.x, half))
        xs.sort()
        for (left, a), (right, b) in pairwise(xs):
            assert right - left > 0.6 * (a + b), "faces cover each other"


PLACES = sorted({*OUTDOORS, *INDOOR_KINDS})


@pytest.mark.parametrize("kind", PLACES)
def test_every_place_can_be_drawn_at_every_hour(kind):
    place = Setting(kind=kind, seed=3)
    seen = set()
    for hour, weather, season in [
        ("day", "clear", "spring"), ("dawn", "fog", "summer"), ("dusk", "rain", "autumn"), ("night", "snow", "winter"),
        ("night", "storm", "summer"),
    ]:  # fmt: skip
        here = place.model_copy(update={"time": hour, "weather": weather, "season": season})
        frame = render_location(LocationFigure(name="x", setting=here), (160, 90))
        assert frame.size == (160, 90)
        seen.add(frame.tobytes())
    assert len(seen) > 1


@pytest.mark.parametrize("size", [(16, 16), (400, 16), (16, 400)])
def test_the_smallest_frames_are_drawn(hand, size):
    assert pixels(hand.keyframe("A fox and a lantern", ["Fox"], size=size) / "keyframe.png").shape[:2] == size[::-1]


@pytest.mark.parametrize("kind", sorted(SPECIES))
def test_every_creature_has_its_own_face_and_every_pose(kind):
    looks = resolve_appearance(f"{kind} pony" if kind == "horse" else kind, 1)
    assert looks.species == kind
    drawn = set()
    for pose in POSES:
        sheet = Canvas()
        stance = draw_figure(sheet, looks, pose, "happy")
        assert stance.top < stance.face[1] < 0
        drawn.add(sheet.svg(10, 10))
    assert len(drawn) == len(POSES)


def test_an_animal_in_another_state_is_still_read_by_keyframes(hand):
    base = hand.portrait("Fox", "a red fox") / "figure.json"
    later = hand.portrait(
        "Fox", state="snow", state_appearance="with white fur and a blue coat", inputs={"base_figure": [base]}
    )
    out = hand.keyframe(
        "Fox waits", [CastMember(name="Fox", state="snow")], inputs={"figures": [later / "figure.json"]}
    )
    assert (out / "keyframe.png").exists()


def test_a_state_changes_the_clothes_and_keeps_the_face(hand):
    base = hand.portrait("Mara", MARA)
    inputs = {"base_figure": [base / "figure.json"], "base": [base / "portrait.png"]}
    first = looks_of(base)
    for state, words, changed in [
        ("soaked", "soaked by the storm", "conditions"),
        ("red coat", "in a red coat", "top_colour"),
        ("older", "older, with white hair", "age"),
        ("wounded", "wounded, a bandage around the head", "conditions"),
        ("child", "as a child", "age"),
    ]:
        out = hand.portrait("Mara", MARA, state=state, state_appearance=words, inputs=inputs)
        later = looks_of(out)
        for kept in ("skin", "eyes", "sex", "species", "variation_seed", "features"):
            assert later[kept] == first[kept], (state, kept)
        assert later[changed] != first[changed], state
        assert np.abs(pixels(out / "portrait.png") - pixels(base / "portrait.png")).mean() > 0.2, state
        assert json.loads((out / "figure.json").read_text("utf-8"))["state"] == state


def test_a_scene_shows_the_state_it_asks_for(hand):
    base = hand.portrait("Mara", MARA)
    wet = hand.portrait(
        "Mara", MARA, state="red", state_appearance="in a red coat", inputs={"base_figure": [base / "figure.json"]}
    )
    both = {"figures": [base / "figure.json", wet / "figure.json"]}
    one = hand.keyframe("Mara waits", [CastMember(name="Mara")], location="beach", inputs=both)
    two = hand.keyframe("Mara waits", [CastMember(name="Mara", state="red")], location="beach", inputs=both)
    assert (one / "layer-00.png").read_bytes() == (two / "layer-00.png").read_bytes()
    assert (one / "keyframe.png").read_bytes() != (two / "keyframe.png").read_bytes()


def test_the_same_place_is_the_same_backdrop_in_every_scene(hand):
    place = hand.element("location", "Old harbour", "a fishing village") / "figure.json"
    scenes = [
        hand.keyframe(
            "wide shot of the town", [], number=n, seed=n, location="Old harbour", inputs={"figures": [place]}
        )
        for n in (1, 2)
    ]
    assert (scenes[0] / "layer-02.png").read_bytes() == (scenes[1] / "layer-02.png").read_bytes()
    other = hand.element("location", "New harbour", "a fishing village") / "figure.json"
    third = hand.keyframe("wide shot of the town", [], location="New harbour", inputs={"figures": [other]})
    assert (third / "layer-02.png").read_bytes() != (scenes[0] / "layer-02.png").read_bytes()


def test_hour_and_weather_of_the_scene_recolour_the_place(hand):
    place = hand.element("location", "Meadow") / "figure.json"
    mean = {}
    for words in ("at noon", "at night", "in heavy snow"):
        out = hand.keyframe(f"wide shot {words}", [], location="Meadow", inputs={"figures": [place]})
        mean[words] = pixels(out / "keyframe.png").mean()
    assert mean["at night"] < mean["at noon"] - 40
    assert mean["in heavy snow"] > mean["at night"] + 40


def test_consecutive_scenes_are_not_the_same_shot(hand):
    figure = hand.portrait("Mara", MARA) / "figure.json"
    heights = []
    for number in (1, 2, 3):
        out = hand.keyframe("Mara looks", ["Mara"], number=number, location="beach", inputs={"figures": [figure]})
        told = Layers.model_validate_json((out / "layers.json").read_bytes())
        (layer,) = [layer for layer in told.layers if layer.depth == 1]
        with Image.open(out / layer.file) as picture:
            box = picture.getchannel("A").getbbox()
        heights.append(box[3] - box[1])
    assert len(set(heights)) == 3


def test_the_conversation_grows_by_one_turn_per_scene(hand):
    first = hand.keyframe("Mara waits", ["Mara"], number=1)
    second = hand.keyframe("Mara leaves", ["Mara"], number=2, inputs={"previous_context": [first / "context.json"]})
    turns = Conversation.model_validate_json((second / "context.json").read_bytes()).turns
    assert [turn.number for turn in turns] == [1, 2]
    assert [turn.prompt for turn in turns] == ["Mara waits", "Mara leaves"]


def test_a_context_of_another_make_is_refused(hand, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"turns": "none"}', "utf-8")
    with pytest.raises(BadInput, match="previous_context"):
        hand.keyframe("Mara waits", ["Mara"], inputs={"previous_context": [wrong]})


def test_what_has_no_figure_is_drawn_from_words(hand):
    out = hand.keyframe(
        "A stranger plays the drum on the moon",
        [CastMember(name="Stranger", appearance="an old man with a beard")],
        objects=(NamedElement(name="drum"),),
    )
    assert (out / "keyframe.png").stat().st_size > 2000


def test_nothing_understood_is_told_not_failed(hand):
    hand.portrait("Qwx", "zzzq blorp vrrk")
    hand.element("location", "Qwx", "zzzq blorp")
    hand.element("object", "Qwx", "zzzq blorp")
    assert len(hand.report.warnings) == 3
    hand.portrait("Mara", MARA)
    assert len(hand.report.warnings) == 3


@pytest.mark.parametrize("name", ["🦊🔥", "مارا", "مارا؛ \u202eX", "", "山田\u0000太郎", "<svg>&\"'"])
def test_odd_names_are_drawn(hand, name):
    figure = hand.portrait(name, 'a <b>girl</b> & "fox" 👩‍🚀') / "figure.json"
    out = hand.keyframe(f"{name} 🎉 waves", [name], inputs={"figures": [figure]}, location="🏰")
    assert (out / "keyframe.png").exists()


def test_a_hundred_thousand_words_stay_fast(hand):
    words = "a tall woman with auburn hair and a green coat walks by the sea with unbekannte Wörter " * 6000
    begun = time.process_time()
    hand.portrait("Mara", words, size=(64, 64))
    hand.keyframe(words, ["Mara"], location_description=words, size=(64, 64))
    assert time.process_time() - begun < 8


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_any_number_of_characters_find_room(hand, count):
    out = hand.keyframe("They meet", [f"Person {index}" for index in range(count)], location="village")
    assert (out / "keyframe.png").exists()

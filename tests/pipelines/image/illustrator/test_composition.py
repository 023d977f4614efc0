"""Who does what, where, with which things: a scene's words as a composition."""

import random

import pytest

from pipelines.image.illustrator import composition
from pipelines.image.illustrator.language.appearance import resolve_appearance
from pipelines.image.illustrator.language.scene_parser import background_animals, bystanders, find_prop_mentions
from pipelines.image.illustrator.language.setting import Setting
from pipelines.image.illustrator.props.props import PROPS, PropSpec
from pipelines.image.illustrator.resolved import CharacterFigure, ObjectFigure

NAMES = ("Mara", "Tomas")


def composed(words, *kinds, place="meadow", cast=NAMES, size=(640, 360), number=1):
    figures = [CharacterFigure(name=name, appearance=resolve_appearance("a woman", 1, name)) for name in cast]
    things = [ObjectFigure(name="", spec=PropSpec(kind=kind, colour=PROPS[kind].colour)) for kind in kinds]
    return composition.build_layout(figures, things, words, number, *size, random.Random(1), Setting(kind=place))


def actor(plan, name):
    return next(one.actor for one in plan.placements if one.actor.figure.name == name)


def mention(words, kind, cast=NAMES):
    return next(m for m in find_prop_mentions(cast, words) if m.kind == kind)


def test_a_boat_on_the_water_carries_whoever_clings_to_it():
    plan = composed("Tomas clings to a small red rowing boat between high waves", "boat", place="cove", cast=("Tomas",))
    assert actor(plan, "Tomas").station == "boat"
    assert plan.boat_colour is not None
    assert not plan.unheld_objects, "the boat that somebody sits in does not stand on the shore as well"


def test_who_reaches_for_somebody_in_a_boat_stands_in_the_water():
    plan = composed("Mara stands knee-deep in the water and reaches out her hand to Tomas in the boat", place="cove")
    assert (actor(plan, "Mara").station, actor(plan, "Mara").pose) == ("water", "reach")
    assert actor(plan, "Tomas").station == "boat"


def test_the_boat_of_a_place_keeps_its_colour():
    figures = [CharacterFigure(name="Tomas", appearance=resolve_appearance("a boy", 1, "Tomas"))]
    cove = Setting(kind="cove", boat_colour="#c8382e")
    plan = composition.build_layout(figures, [], "Tomas in the boat", 1, 640, 360, random.Random(1), cove)
    assert plan.boat_colour == "#c8382e"


def test_a_boat_in_a_meadow_sets_nobody_afloat():
    assert not composed("Tomas sits in a boat", place="meadow", cast=("Tomas",)).on_water


def test_side_by_side_is_nearer_than_apart_and_on_one_bench():
    near, far = composed("Mara and Tomas sit side by side on a bench"), composed("Mara and Tomas sit")
    assert {one.actor.station for one in near.placements} == {"bench"}

    def gap(plan):
        first, second = plan.placements
        return abs(first.x - second.x) / first.scale

    assert gap(near) < gap(far) - 30


def test_who_is_ill_lies_in_bed_indoors():
    plan = composed("Tomas lies ill in bed, Mara sits beside him", place="bedroom")
    assert (actor(plan, "Tomas").pose, actor(plan, "Tomas").station, actor(plan, "Tomas").mood) == (
        "lie",
        "bed",
        "tired",
    )
    assert actor(plan, "Mara").pose == "sit"


@pytest.mark.parametrize(("words", "held", "laid"), [
    ("Mara stands there with a brass lantern in her hand", True, False),
    ("Mara waits, the lantern glowing on the pebbles behind her", False, True),
    ("Mara stands at the shelf where for so many long and happy years his lantern used to hang", False, False),
])  # fmt: skip
def test_where_a_thing_is(words, held, laid):
    told = mention(words, "lantern")
    assert (told.held, told.on_surface) == (held, laid)


def test_what_lies_on_the_ground_is_in_nobodys_hand():
    plan = composed("Mara waits, the lantern glowing on the pebbles behind her", "lantern", cast=("Mara",))
    assert [thing.spec.kind for thing in plan.unheld_objects] == ["lantern"]
    assert actor(plan, "Mara").held_object is None


def test_two_cups_for_two():
    plan = composed("Mara and Tomas sit together, two steaming mugs in their hands", "cup")
    assert all(one.actor.held_object for one in plan.placements)


def test_things_have_the_colour_that_stands_before_them():
    assert mention("Mara sees a small red rowing boat and a blue lantern", "boat").colour == "red"
    assert mention("Mara sees a small red rowing boat and a blue lantern", "lantern").colour == "blue"


def test_a_close_up_of_a_thing_shows_the_thing(hand):
    from PIL import Image, ImageChops

    words = "Close-up of the golden pocket watch lying on the table"
    with_it = hand.keyframe(words, [], location="Workshop", location_description="a workshop")
    without = hand.keyframe("Close-up of nothing at all", [], location="Workshop", location_description="a workshop")
    with Image.open(with_it / "keyframe.png") as one, Image.open(without / "keyframe.png") as other:
        box = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox()
        assert box is not None
        assert box[3] - box[1] > one.height * 0.3


def test_animals_are_seen_where_the_words_name_them():
    assert next(background_animals("a small grey cat sits beside the lantern, four kittens asleep", "city")) == (
        "cat",
        "grey",
    )
    assert not list(background_animals("gulls flying low over the waves", "sea"))


@pytest.mark.parametrize(("words", "count"), [
    ("curious children look at a picture", 3), ("a person takes a deep breath", 1), ("people queue at the stall", 4),
    ("an old woman with white hair opens the door", 1), ("an empty lane at dawn", 0),
])  # fmt: skip
def test_people_without_a_name_are_still_people(words, count):
    assert len(bystanders(words)) == count


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_nobody_in_a_close_shot_slides_out_of_the_frame(size, number):
    from pipelines.image.illustrator.figures import body as body

    for seed in range(8):
        figure = CharacterFigure(name="Lea", appearance=resolve_appearance("a girl of eleven", 1))
        plan = composition.build_layout([figure], [], "close-up of Lea", number, *size, random.Random(seed))
        (one,) = plan.placements
        top = one.ground_y - body.body_proportions(figure.appearance).height * one.scale
        assert 0 < top < size[1] * 0.3


def test_a_ball_that_is_kicked_is_in_nobodys_hand():
    plan = composed("Leo kicks the ball at the goal", "ball", cast=("Leo",))
    assert actor(plan, "Leo").pose == "kick"
    assert [thing.spec.kind for thing in plan.unheld_objects] == ["ball"]


def test_a_crowd_beside_the_cast_is_seen(hand):
    figure = hand.portrait("Leo", "a boy of ten") / "figure.json"
    words = "full view of the field, Leo kicks the ball"
    alone = hand.keyframe(words, ["Leo"], location="meadow", inputs={"figures": [figure]})
    cheered = hand.keyframe(f"{words}, the crowd cheers", ["Leo"], location="meadow", inputs={"figures": [figure]})
    assert (alone / "layer-03.png").read_bytes() != (cheered / "layer-03.png").read_bytes()


@pytest.mark.parametrize("words", ["a small orange fish", "a blue whale", "a dolphin", "un poisson rouge", "小さな魚"])
def test_fish_and_whales_are_no_people(words):
    assert resolve_appearance(words, 1).species in ("fish", "whale", "dolphin")


def test_a_cat_that_sleeps_puts_nobody_to_bed():
    plan = composed("Mara sits in her armchair and knits, a cat asleep at her feet", place="room", cast=("Mara",))
    assert (actor(plan, "Mara").pose, actor(plan, "Mara").station) == ("sit", "")


def test_who_rides_a_bicycle_sits_on_it():
    plan = composed("Mara rides her bicycle through the rain", "bicycle", place="city", cast=("Mara",))
    assert (actor(plan, "Mara").station, plan.unheld_objects) == ("riding", [])
    assert actor(composed("Mara rides home", place="city", cast=("Mara",)), "Mara").station == ""


def test_what_an_animal_does_nobody_else_does():
    plan = composed("Élise boit du thé, un chat dort", place="kitchen", cast=("Élise",))
    assert actor(plan, "Élise").mood != "tired"
    assert actor(plan, "Élise").station == ""


def test_arabic_accusatives_are_understood():
    assert mention("ليلى تقرأ كتاباً", "book", ("ليلى",)).held


@pytest.mark.parametrize("words", ["Every animal who hears it wants to join in", "alle Tiere tanzen", "森の動物たち"])
def test_animals_of_no_kind_are_several_kinds(words):
    assert len({name for name, _ in background_animals(words, "forest")}) == 3


def test_what_a_cat_sits_beside_is_there():
    words = (
        "On the rooftop a small grey cat sits beside the big glowing brass lantern, Mara and Tomas crouch at a distance"
    )
    assert mention(words, "lantern").on_surface
    assert not mention("Mara stands beside Tomas with a lantern in her hand", "lantern").on_surface

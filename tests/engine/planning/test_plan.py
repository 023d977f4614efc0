"""Steps, the graph of them, and what identifies a step."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.plan import (
    FamilyId,
    InvalidPlan,
    OutputRef,
    Plan,
    Step,
    StoredInput,
    cache_key,
    canonical_json,
    check_contracts,
)
from pipelines.base import Kind
from pipelines.step_params import CONTRACTS, EnhanceParams, SanitizeImageParams
from tests.fixtures.families import Echo, TextParams, spec, step

A, B = "a" * 64, "b" * 64


def after(*names, of="text.txt"):
    return {"given": tuple(OutputRef(name, of) for name in names)}


# Plans


def test_steps_stand_behind_what_they_need_and_otherwise_as_given():
    plan = Plan((step("d", inputs=after("b", "c")), step("c", inputs=after("a")), step("x"), step("b"), step("a")))
    assert [one.id for one in plan] == ["x", "b", "a", "c", "d"]


def test_the_order_of_a_plan_is_its_own():
    plan = Plan((step("c", inputs=after("a")), step("b"), step("a")))
    assert Plan(plan.steps).steps == plan.steps


@given(st.data())
def test_any_acyclic_graph_is_put_in_order(data):
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 12)))]
    needs = {
        name: data.draw(st.sets(st.sampled_from(names[:place]))) if place else set() for place, name in enumerate(names)
    }
    plan = Plan(tuple(step(name, inputs=after(*sorted(needs[name]))) for name in data.draw(st.permutations(names))))
    place = {one.id: number for number, one in enumerate(plan)}
    assert place.keys() == set(names)
    assert all(place[need] < place[name] for name in names for need in needs[name])


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ((step("a"), step("a")), "two steps are called 'a'"),
        ((step("a", inputs=after("b")),), "'b', which is no step"),
        ((step("a", inputs=after("a")),), "circle: a"),
        ((step("a", inputs=after("b")), step("b", inputs=after("a")), step("c")), "circle: a, b"),
    ],
)
def test_what_is_no_plan_is_refused(steps, complaint):
    with pytest.raises(InvalidPlan, match=complaint):
        Plan(steps)


def test_the_closure_is_what_is_needed_and_no_more():
    plan = Plan((step("a"), step("b", inputs=after("a")), step("c", inputs=after("b")), step("d", inputs=after("a"))))
    assert [one.id for one in plan.closure(["c"])] == ["a", "b", "c"]
    assert [one.id for one in plan.closure(["d", "b"])] == ["a", "b", "d"]
    assert len(plan.closure([])) == 0
    with pytest.raises(InvalidPlan, match="no step 'z'"):
        plan.closure(["z"])


def test_a_step_knows_its_model_and_its_names_are_plain():
    with pytest.raises(InvalidPlan, match="does not do write"):
        Step("a", Kind.WRITE, spec(), TextParams())
    for name in ("", ".", "..", "a/b", "a\\b", "c:", "nul\0"):
        with pytest.raises(InvalidPlan, match="plain name"):
            OutputRef("a", name)
        with pytest.raises(InvalidPlan, match="plain name"):
            step("a", inputs={name: ()})
    for digest in ("", "../../etc/passwd", "A" * 64, "a" * 63):
        with pytest.raises(InvalidPlan, match="not a digest"):
            StoredInput(digest, "x.png")


def test_a_pattern_is_told_from_a_name():
    assert [OutputRef("a", name).is_pattern for name in ("layer*", "layer-0?.png", "[ab]", "text.txt")] == [
        True
    ] * 3 + [False]


# Contracts

IMAGE, CLIP = spec(kinds=("sanitize_image", "enhance", "sample_frames")), (StoredInput(A, "input"),)


def sanitize(**inputs):
    return Step("sanitize", Kind.SANITIZE_IMAGE, IMAGE, SanitizeImageParams(), inputs or {"image": CLIP})


def enhance(name):
    inputs = {"image": (OutputRef("sanitize", name),)}
    return Step("enhance", Kind.ENHANCE, IMAGE, EnhanceParams(), inputs)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((sanitize(picture=CLIP),), "sanitize: the input image takes 1..1 sources, got 0"),
        ((sanitize(image=CLIP, mask=CLIP),), "sanitize: sanitize_image has no input 'mask'"),
        ((sanitize(image=CLIP * 2),), "sanitize: the input image takes 1..1 sources, got 2"),
        ((sanitize(), enhance("picture.png")), "enhance: the step 'sanitize' has no output 'picture.png'"),
        ((sanitize(), enhance("*.png")), "enhance: the step 'sanitize' has no output"),
    ],
)
def test_a_plan_with_a_role_or_an_output_that_no_contract_has_is_invalid(steps, message):
    with pytest.raises(InvalidPlan, match=re.escape(message)):
        check_contracts(Plan(steps))


def test_a_plan_with_the_roles_and_outputs_of_the_contracts_is_valid():
    check_contracts(Plan((sanitize(), enhance("image.png"))))


def test_an_output_name_may_be_a_file_of_a_pattern_or_the_pattern_itself():
    schedule = CONTRACTS[Kind.SCHEDULE]
    assert [schedule.has_output(name) for name in ("timeline.json", "scene-001.json", "scene-*.json")] == [True] * 3
    assert [schedule.has_output(name) for name in ("scene-001.ass", "scene-*", "*", "")] == [False] * 4


# Keys

ECHO = FamilyId("echo", "1")
KEY = cache_key(step("a"), ECHO, {})


@pytest.mark.parametrize(
    "other",
    [
        cache_key(step("a", take=1), ECHO, {}),
        cache_key(step("a", seed=1), ECHO, {}),
        cache_key(step("a", text="b"), ECHO, {}),
        cache_key(step("a"), FamilyId("echo", "2"), {}),
        cache_key(step("a"), FamilyId("constant", "1"), {}),
        cache_key(step("a", model={"weights": {"model": {"repo": "hub/model"}}}), ECHO, {}),
        cache_key(step("a", model={"revision": "abc"}), ECHO, {}),
        cache_key(step("a", model={"options": {"steps": 4}}), ECHO, {}),
        cache_key(Step("a", Kind.WRITE, spec(kinds=("write", "enhance")), TextParams(text="a")), ECHO, {}),
        cache_key(step("a"), ECHO, {"given": [("x.png", A)]}),
    ],
)
def test_whatever_changes_the_result_changes_the_key(other):
    assert other != KEY


@pytest.mark.parametrize(
    "same",
    [
        cache_key(step("elsewhere", text="a"), ECHO, {}),
        cache_key(step("a", model={"family": "pipelines.moved.elsewhere:Renamed"}), ECHO, {}),
        cache_key(step("a", model={"name": "alias", "licence": "MIT", "credits": ("me",)}), ECHO, {}),
        cache_key(step("a", model={"memory_mb": 9, "seconds": 9.0, "device": "gpu", "requires": ("torch",)}), ECHO, {}),
        cache_key(step("a"), ECHO, {"given": []}),
        cache_key(step("a", inputs=after("b")), ECHO, {}),
    ],
)
def test_names_prices_and_places_do_not(same):
    assert same == KEY


def test_the_key_of_a_step_is_the_same_tomorrow():
    """A change here makes everybody's finished work be made again: raise `KEY_FORMAT` and say so."""
    plain = Step("a", Kind.ENHANCE, spec(options={"strength": 0.5}), EnhanceParams(), {}, 7, 1)
    key = cache_key(plain, FamilyId("sharpen", "3"), {"image": [("keyframe.png", A)]})
    assert key == "d65cbdd2816b17281865d15868d3070b1644920f344854ff706115fa354a481b"


def test_roles_order_and_names_of_inputs_are_part_of_the_key():
    inputs = [
        {"one": [("x", A), ("x", B)]},
        {"one": [("x", B), ("x", A)]},
        {"one": [("x", A)], "two": [("x", B)]},
        {"two": [("x", A), ("x", B)]},
        {"one": [("x", A), ("y", B)]},
        {"one": [("x", A)]},
    ]
    assert len({cache_key(step("a"), ECHO, given) for given in inputs}) == len(inputs)


def test_the_order_in_which_roles_and_options_are_written_is_not():
    one = cache_key(step("a", model={"options": {"a": 1, "b": 2}}), ECHO, {"p": [("x", A)], "q": [("x", B)]})
    two = cache_key(step("a", model={"options": {"b": 2, "a": 1}}), ECHO, {"q": [("x", B)], "p": [("x", A)]})
    assert one == two


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters())
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.printable, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def tagged(value):
    """Another way to tell types apart, to compare with."""
    if isinstance(value, list):
        return ("list", tuple(tagged(item) for item in value))
    if isinstance(value, dict):
        return ("dict", frozenset((key, tagged(item)) for key, item in value.items()))
    return (type(value), repr(value))


@given(values, values)
def test_two_values_have_the_same_text_only_if_they_are_the_same_in_type_and_value(one, two):
    assert (canonical_json(one) == canonical_json(two)) == (tagged(one) == tagged(two))


@given(values)
def test_the_text_of_a_value_depends_on_nothing_but_the_value(value):
    def shuffled(value):
        if isinstance(value, dict):
            return {key: shuffled(item) for key, item in reversed(value.items())}
        return tuple(shuffled(item) for item in value) if isinstance(value, list) else value

    assert canonical_json(shuffled(value)) == canonical_json(value)
    assert canonical_json(value).isascii()


def test_types_are_told_apart():
    assert (
        len({canonical_json(value) for value in (1, 1.0, True, "1", "True", "1.0", None, "", [], {}, [1], [[1]])}) == 12
    )
    assert canonical_json({1: "a"}) != canonical_json({"1": "a"})
    assert canonical_json(0.0) != canonical_json(-0.0)


def test_what_json_cannot_hold_is_refused():
    for value in ({1, 2}, b"bytes", object(), [Echo]):
        with pytest.raises(TypeError, match="cannot be part of a key"):
            canonical_json(value)

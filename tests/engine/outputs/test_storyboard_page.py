"""The storyboard page: content, escaping, and readability of text in mixed writing directions."""

from engine.outputs.story_record import ModerationRecord, ReferenceRecord, StoryRecord, TimelineRecord
from engine.outputs.storyboard_page import render_storyboard_page
from engine.story.model import Character, Element, Scene, Story


def record(scene=None, **fields):
    scene = {"camera": "slow pan left", "name": "Scene 1", "location": "السوق القديم", **(scene or {})}
    story = Story(
        title="فانوس",
        description="فتاة تجد فانوساً",
        language="Arabic",
        seed=1,
        characters=(Character(name="ليلى", appearance="a girl in a blue dress"),),
        locations=tuple(Element(name=name) for name in {"السوق القديم", scene["location"]}),
        scenes=(Scene(**scene),),
    )
    content = {
        "engine": "0", "profile": "draft", "title": "t", "story": story, "models": {}, "credits": (), "warnings": (),
        "moderation": ModerationRecord(text="not checked", images="not checked"), "files": {}, "references": (),
        "steps": (),
    }  # fmt: skip
    return StoryRecord(**{**content, **fields})


def test_facts_are_in_one_row_and_each_has_its_own_direction():
    page = render_storyboard_page(record())
    assert "<bdi>slow pan left</bdi> · <bdi>السوق القديم</bdi>" in page
    assert '<p class="lead"><bdi>1 scenes</bdi>' in page
    assert '<p class="description" dir="auto">فتاة تجد فانوساً</p>' in page


def test_the_direction_of_a_prompt_is_the_direction_of_most_of_its_letters():
    assert 'dir="ltr">ليلى comes closer in the light of the market' in render_storyboard_page(
        record({"prompt": "ليلى comes closer in the light of the market"})
    )
    assert 'dir="rtl">فتاة تجد فانوساً قديماً في السوق at dawn' in render_storyboard_page(
        record({"prompt": "فتاة تجد فانوساً قديماً في السوق at dawn"})
    )


def test_a_default_scene_name_is_left_out():
    assert "Scene 1<" not in render_storyboard_page(record())
    assert "<bdi>The storm</bdi>" in render_storyboard_page(record({"name": "The storm"}))


def test_text_of_the_story_is_escaped():
    page = render_storyboard_page(
        record({"prompt": "<script>alert(1)</script>", "location": "<b>x</b>", "name": "<i>"}, warnings=("<u>",))
    )
    for tag in ("<script>", "<b>", "<i>", "<u>"):
        assert tag not in page


def test_film_images_and_audio_appear_when_their_files_exist():
    assert "<video" not in render_storyboard_page(record())
    page = render_storyboard_page(
        record(
            {"narration": "ليلى"},
            files=dict.fromkeys(
                ("story.mp4", "keyframes/scene-01.png", "narration/scene-01.wav", "portraits/01.png"), "0"
            ),
            references=(ReferenceRecord(file="portraits/01.png", role="character", name="ليلى"),),
            timeline=TimelineRecord.model_validate(
                {"fps": 24, "scenes": [{"start": 0, "timing": {"fps": 24, "frames": 36}}]}
            ),
        )
    )
    assert 'src="story.mp4" poster="keyframes/scene-01.png"' in page
    assert '<audio controls preload="none" src="narration/scene-01.wav">' in page
    assert "a girl in a blue dress" in page
    assert "<bdi>1.5 s</bdi>" in page

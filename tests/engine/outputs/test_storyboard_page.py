"""The storyboard page: what is on it, and that mixed directions of writing stay readable."""

from engine.outputs.storyboard_page import render_storyboard_page


def record(**scene):
    told = {
        "camera": "slow pan left",
        "characters": [],
        "location": "",
        "name": "Scene 1",
        "narration": "",
        "prompt": "",
    }
    return {
        "engine": "0", "profile": "draft", "title": "t", "warnings": [], "credits": [], "files": {}, "references": [],
        "steps": [], "models": {}, "timeline": None,
        "story": {
            "title": "فانوس", "description": "فتاة تجد فانوساً", "language": "Arabic", "seed": 1, "characters": [],
            "locations": [], "objects": [], "video": {"width": 2, "height": 2}, "scenes": [told | scene],
        },
    }  # fmt: skip


def test_facts_run_from_left_to_right_each_in_its_own_direction():
    page = render_storyboard_page(record(location="السوق القديم"))
    assert "<bdi>slow pan left</bdi> · <bdi>السوق القديم</bdi>" in page
    assert '<p class="lead"><bdi>1 scenes</bdi>' in page
    assert '<p class="told" dir="auto">فتاة تجد فانوساً</p>' in page


def test_a_prompt_runs_as_most_of_its_letters_do():
    assert 'dir="ltr">ليلى comes closer in the light of the market' in render_storyboard_page(
        record(prompt="ليلى comes closer in the light of the market")
    )
    assert 'dir="rtl">فتاة تجد فانوساً قديماً في السوق at dawn' in render_storyboard_page(
        record(prompt="فتاة تجد فانوساً قديماً في السوق at dawn")
    )


def test_a_name_that_only_counts_is_not_said_beside_the_number():
    assert "Scene 1<" not in render_storyboard_page(record())
    assert "<bdi>The storm</bdi>" in render_storyboard_page(record(name="The storm"))


def test_what_a_client_wrote_is_text_and_nothing_else():
    page = render_storyboard_page(record(prompt="<script>alert(1)</script>", location="<b>x</b>", name="<i>"))
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page

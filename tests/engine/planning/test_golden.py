"""Request → Story → Plan, kept whole for every example: what changes here changes for users.

After a wanted change: `UPDATE_GOLDEN=1 pytest tests/engine/planning/test_golden.py`, and read the difference.
"""

import json
import os
from pathlib import Path

import pytest

from engine.planning.plan import OutputRef
from engine.planning.planner import plan_brief, plan_story
from engine.schemas.spec_file import read_spec
from engine.story.model import Brief, map_input_files
from pipelines.models import catalog

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))


def source(one):
    return f"{one.step}/{one.name}" if isinstance(one, OutputRef) else f"given {one.digest[:8]}"


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_an_example_gives_the_story_and_the_plan_that_it_gave(example):
    told = read_spec(example)
    told = map_input_files(told, lambda field, picture: picture.model_copy(update={"digest": "d" * 64}))
    planned = (plan_brief if isinstance(told, Brief) else plan_story)(told, catalog.load())
    content = {
        "told": json.loads(told.model_dump_json(exclude_defaults=True)),
        "warnings": list(planned.warnings),
        "plan": [
            {
                "id": step.id,
                "model": step.spec.name,
                "seed": step.seed,
                "params": json.loads(step.params.model_dump_json(exclude_defaults=True)),
                "inputs": {role: [source(one) for one in sources] for role, sources in step.inputs.items()},
            }
            for step in planned.plan
        ],
    }
    golden = ROOT / "tests" / "golden" / example.name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
    assert content == json.loads(golden.read_text("utf-8"))


def test_every_golden_pair_has_its_example():
    assert {path.name for path in (ROOT / "tests" / "golden").glob("*.json")} == {path.name for path in EXAMPLES}

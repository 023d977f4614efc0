"""A hand that draws: the families of pictures, run as the worker runs them."""

import json
from pathlib import Path

import pytest

from pipelines.base import Kind
from pipelines.image.illustrator.family import Illustrator
from pipelines.step_params import CastMember, ElementParams, KeyframeParams, PortraitParams


class Report:
    """Remembers what it was told."""

    def __init__(self):
        self.warnings = []

    def progress(self, fraction, message=""):
        assert 0 <= fraction <= 1

    def warn(self, message):
        self.warnings.append(message)

    def record(self, **facts):
        json.dumps(facts)


class Hand:
    """Draws into a new folder each time; a step's files are found by their names."""

    def __init__(self, folder: Path):
        self.folder, self.count, self.report = folder, 0, Report()
        self.family = Illustrator()

    def _run(self, kind, params, inputs, seed):
        out = self.folder / f"{self.count:03d}"
        self.count += 1
        out.mkdir()
        made = list(self.family.run(kind, params, inputs, out, self.report, seed=seed))
        assert sorted(path.name for path in made) == sorted(path.name for path in out.iterdir())
        return out

    def portrait(self, name, appearance="", *, size=(320, 320), seed=7, inputs=None, **more):
        params = PortraitParams(
            prompt=appearance, width=size[0], height=size[1], name=name, appearance=appearance, **more
        )
        return self._run(Kind.PORTRAIT, params, inputs or {}, seed)

    def element(self, role, name, description="", *, size=(320, 180), seed=7, inputs=None, **more):
        params = ElementParams(
            prompt=name, width=size[0], height=size[1], role=role, name=name, description=description, **more
        )
        return self._run(Kind.ELEMENT, params, inputs or {}, seed)

    def keyframe(self, scene, cast=(), *, size=(320, 180), seed=7, number=1, inputs=None, **more):
        on_stage = tuple(one if isinstance(one, CastMember) else CastMember(name=one) for one in cast)
        params = KeyframeParams(
            prompt=scene, width=size[0], height=size[1], scene_text=scene, number=number, characters=on_stage, **more
        )
        return self._run(Kind.KEYFRAME, params, inputs or {}, seed)


@pytest.fixture
def hand(tmp_path):
    return Hand(tmp_path)

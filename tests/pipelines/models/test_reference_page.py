"""docs/models.md says what models.yaml says."""

from pathlib import Path

from pipelines.models import catalog
from pipelines.models.reference_page import render_page

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_current():
    written = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert written == render_page(catalog.load()) + "\n", (
        "run: python -m engine models list --markdown > docs/models.md"
    )


def test_every_model_stands_on_it_once_with_its_licence():
    models = catalog.load()
    rows = [line.split(" | ") for line in render_page(models).splitlines() if line.startswith("| ")]
    for spec in models.models.values():
        (row,) = (row for row in rows if row[0] == f"| {spec.name}" and len(row) == 8)
        assert row[2] == (spec.licence or "–")


def test_what_is_here_is_not_part_of_it(tmp_path):
    assert render_page(catalog.load()) == render_page(catalog.load(home=tmp_path, device_mb=24_000))


def test_licences_of_all_that_is_pulled_are_known():
    for spec in catalog.load().models.values():
        assert spec.licence or not spec.weights, f"models.yaml: {spec.name} names no licence"


def test_how_much_comes_is_known_before_it_is_asked_for():
    for spec in catalog.load().models.values():
        assert all(one.gb for one in spec.weights.values()), f"models.yaml: {spec.name} says no size"

"""The pages name files that exist; the glossary has each word once, in order."""

import re
from pathlib import Path

import pytest
import yaml

from pipelines.base import Kind

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md"))
)
_PATH = re.compile(r"`((?:engine|pipelines|tests|scripts|docs|requirements|examples|\.ci|\.github)/[\w./-]*)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text("utf-8")
    named = {ROOT / path for path in _PATH.findall(text)}
    linked = {(ROOT / page).parent / link for link in _LINK.findall(text) if "://" not in link}
    assert not [str(path.relative_to(ROOT)) for path in named | linked if not path.exists()]


def test_the_glossary_has_each_term_once_in_order_with_one_sentence():
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.MULTILINE)
    rows.remove(("term", "meaning"))
    terms = dict(rows)
    assert list(terms) == sorted(terms, key=str.lower)
    assert len(terms) == len(rows)
    assert not [term for term, meaning in terms.items() if not re.fullmatch(r"[^.].*[^.]\.", meaning)]


def test_the_glossary_has_each_step_kind():
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    assert not [kind for kind in Kind if f"| {kind} |" not in text]


def test_each_decision_is_short_and_states_context_decision_and_consequences():
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        text = page.read_text("utf-8")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], page.name
        assert 15 <= len(text.splitlines()) <= 35, page.name


def test_the_navigation_lists_each_page_of_the_site():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    listed = set(re.findall(r"[\w./-]+\.md", str(nav)))
    assert listed == {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}

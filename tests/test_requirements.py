"""The locks in requirements/ hold what pyproject.toml asks for, with hashes, and name no index, host or path."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = {"draft": "draft", "dev": "dev"}


def requirements_of(extra: str) -> list[Requirement]:
    """Every requirement of the core and of an extra, with the project's own extras resolved."""
    found = [Requirement(one) for one in PROJECT["dependencies"]]
    rest = [extra]
    while rest:
        for text in PROJECT["optional-dependencies"][rest.pop()]:
            one = Requirement(text)
            if canonicalize_name(one.name) == "story-engine":
                rest += one.extras
            else:
                found.append(one)
    return found


def pins_of(lock: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").splitlines()
    return [Requirement(line.removesuffix(" \\")) for line in lines if not line.startswith((" ", "#"))]


@pytest.mark.parametrize(("lock", "extra"), LOCKS.items())
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_requirement_is_pinned_to_a_version_that_it_allows(lock, extra, python):
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    pinned = {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in pins_of(lock)
        if one.marker is None or one.marker.evaluate(environment)
    }
    wanted = [one for one in requirements_of(extra) if one.marker is None or one.marker.evaluate(environment)]
    wrong = [
        str(one)
        for one in wanted
        if not one.specifier.contains(pinned.get(canonicalize_name(one.name), "0"), prereleases=True)
    ]
    assert not wrong, "run scripts/lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_has_hashes(lock):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    assert len(re.findall(r"^[^\s#].*==\S+.* \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)) == len(
        pins_of(lock)
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_host_or_path_is_written_into_a_lock(lock):
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    assert not re.search(r"://|file:|--(index|extra-index|find-links)|^[./]", text, re.MULTILINE)

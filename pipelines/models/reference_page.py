"""The page that documents the models, made from the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.base import Kind, ModelSpec
from pipelines.models.catalog import Catalog
from pipelines.models.weights import format_gigabytes

INTRODUCTION = """\
# Models

What can make what. This page is made from `models.yaml` by `python -m engine models list --markdown`; what of it is here
on this machine, and fits its GPU, is said by `python -m engine models list`.

## Bringing weights here

```
pip install "story-engine[gpu]"
python -m engine models pull flux2-klein-4b        # or the name of a profile
```

- `pull` shows sizes, licences and the free room, and asks. Nothing is ever fetched by a run. What breaks off goes on where it ended.
- The revision is resolved to a commit. Every file is compared with the SHA-256 that the hub states and written to a lock file; when a
  model is loaded, a file that was written to since is hashed again. What is not what was pulled is not loaded, and the message
  names the command that mends it. `models verify` hashes everything.
- No code is pulled. Files that a careless reader could be made to run code by are pulled only where models.yaml names them by their
  ending, and are read in ways that run none.
- Weights lie in `ENGINE_HOME/weights` (else in the platform's cache folder). The same bytes in several models are kept once;
  what is in the hub library's own cache is linked, not downloaded again. `models rm NAME` keeps what others share.
- Gated weights: accept the licence on the page of the model, then set `HF_TOKEN`.
- A mirror: `HF_ENDPOINT`, or `--from https://mirror.example` (the token is not sent there). The command goes to the host that it is told
  of, and to no other: the guarded door that stories' addresses go through is not in its way. A mirror is believed in what it states of
  its files.
- Without a network: pull on a machine that has one, and bring its `ENGINE_HOME/weights` along (but for `envs`, which are made
  anew): its files are hashed again before they are loaded. Or `--offline` takes what the hub library's cache holds, `--from FOLDER`
  what lies in a folder (the files of one repository, or `owner/name` below it for several); one that was copied in part is refused.
  Weights that are kept elsewhere for good are named in an overlay (`--models FILE`) as `repo: "file:/path"`; `models pull` then
  hashes and locks them where they lie.
- Workers run with `HF_HUB_OFFLINE=1`: what is not here is missing. A running server sees what was pulled when it is started again.
- Some packages exclude others. A model with `env:` in models.yaml has an interpreter of its own; `models pull` makes it, with uv
  where that is installed, else with venv and pip, and its steps run there. With `--offline` its packages come from the wheels in
  `UV_FIND_LINKS` or `PIP_FIND_LINKS` alone. What breaks off leaves nothing behind; `models pull NAME` also mends one that was
  damaged, and `models rm --unused` removes those that no model asks for any more.

Licences are those of the weights, as their owners state them: read them before you use what is made. NC: not for commercial use.
Memory is that of one step with all parts resident, before this machine has measured it; most models do with less, slower.
"""

TASK_GROUPS: tuple[tuple[str, frozenset[Kind]], ...] = (
    ("Words", frozenset({Kind.WRITE, Kind.READ, Kind.CHECK_TEXT})),
    (
        "Pictures",
        frozenset({Kind.PORTRAIT, Kind.ELEMENT, Kind.KEYFRAME, Kind.ENHANCE, Kind.CHECK_IMAGE, Kind.SANITIZE_IMAGE}),
    ),
    ("Moving pictures", frozenset({Kind.ANIMATE, Kind.TRANSITION})),
    ("Voices", frozenset({Kind.NARRATE})),
    ("Music", frozenset({Kind.SCORE})),
    ("Putting together", frozenset(Kind)),
)
"""Headings, each for the models that do any of these kinds and stand under none before."""


def render_page(catalog: Catalog) -> str:
    """The whole page, as Markdown. The same for the same catalog, whatever is installed here."""
    parts = [INTRODUCTION, "## Profiles\n", _table(["profile", "what it is", "GPU", "models"], _profiles(catalog)), ""]
    for heading, specs in group_by_task(catalog.models.values()):
        parts += [f"## {heading}\n", _table(HEADER, [_model_row(spec) for spec in specs]), ""]
    parts += [
        "## Which serves what\n",
        "The first of these that is here and can do the step serves, unless the profile says otherwise.\n",
    ]
    parts.append(_table(["name", "models"], [[name, ", ".join(models)] for name, models in catalog.aliases.items()]))
    return "\n".join(parts)


def group_by_task(specs: Iterable[ModelSpec]) -> Iterator[tuple[str, list[ModelSpec]]]:
    """The models under their headings, each once; without headings that none stands under."""
    rest = list(specs)
    for heading, kinds in TASK_GROUPS:
        own = [spec for spec in rest if kinds & set(spec.kinds)]
        rest = [spec for spec in rest if spec not in own]
        if own:
            yield heading, own


HEADER = ["model", "does", "licence", "download", "memory", "pictures it is shown", "languages", "install"]


def _model_row(spec: ModelSpec) -> list[str]:
    size = sum(weights.gb for weights in spec.weights.values())
    gated = ", gated" if any(weights.gated for weights in spec.weights.values()) else ""
    return [
        spec.name,
        ", ".join(kind for kind in spec.kinds if kind is not Kind.ENCODE_PROMPT),
        spec.licence or "–",
        ((format_gigabytes(size) or "size unknown") + gated) if spec.weights else "–",
        (format_gigabytes(spec.memory_mb / 1000) + " GPU")
        if spec.device != "cpu"
        else format_gigabytes(spec.memory_mb / 1000),
        _references(spec),
        ", ".join(spec.languages) or "–",
        " ".join(_install_steps(spec)) or "–",
    ]


def _references(spec: ModelSpec) -> str:
    """How many pictures a model that draws or animates can be shown; with several, earlier scenes are among them."""
    if not {Kind.KEYFRAME, Kind.ANIMATE} & set(spec.kinds):
        return "–"
    if spec.max_references == 0:
        return "none"
    if spec.max_references is None:
        return "several" if spec.multiturn else "–"
    return f"up to {spec.max_references}" if spec.multiturn else str(spec.max_references)


def _install_steps(spec: ModelSpec) -> Iterable[str]:
    if spec.extra and not spec.env:
        yield f"`[{spec.extra}]`"
    if spec.install_command:
        yield f"`{spec.install_command}`"
    if spec.weights or spec.env:
        yield "pull"


def _profiles(catalog: Catalog) -> list[list[str]]:
    return [
        [
            name,
            profile.description,
            f"{profile.device_mb / 1024:.0f} GB" if profile.device_mb else "none",
            ", ".join(dict.fromkeys(models[0] for models in profile.picks.values() if models)),
        ]
        for name, profile in catalog.profiles.items()
    ]


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)

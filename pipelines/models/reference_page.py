"""Reference of all models as Markdown, generated from the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pipelines.base import Kind, ModelSpec
from pipelines.models.catalog import Catalog
from pipelines.models.weights import format_gigabytes
from pipelines.step_params import CONTRACTS, TaskGroup

INTRODUCTION = """\
# Models

All models of `models.yaml`, with their kinds of steps, licences and requirements. `python -m engine models list`
shows which of them are installed and fit this machine's GPU. `python -m engine models list --markdown` generates this
page.

## Downloading weights

```
pip install "story-engine[gpu]"
python -m engine models pull flux2-klein-4b        # or the name of a profile
```

- `pull` shows sizes, licences and free disk space, and asks before it downloads. A run never downloads. An
  interrupted download resumes.
- The revision is resolved to a commit. The SHA-256 of every file is checked against the hub's and written to a lock
  file. Before a model is loaded, files that changed since are hashed again. Corrupt files are never loaded; the error
  names the command that repairs them. `models verify` hashes all files.
- No code is downloaded. Files in formats that can contain code (pickles) are downloaded only if models.yaml names
  their extension, and are read by loaders that execute none.
- Weights are stored in `ENGINE_HOME/weights`, or in the platform's cache folder. Files shared by several models are
  stored once; files in the hub library's cache are linked instead of downloaded. `models rm NAME` keeps files that
  other models share.
- Gated weights: accept the licence on the page of the model, then set `HF_TOKEN`.
- Mirror: set `HF_ENDPOINT`, or pass `--from https://mirror.example` (the token is not sent to it). The command
  connects to this host only; the guarded fetcher for URLs in stories does not apply. The checksums are those that the
  mirror states.
- Offline: run `pull` on a machine with a network and copy its `ENGINE_HOME/weights`, except `envs`, which must be
  created again. The files are hashed again before they are loaded. Or `--offline` uses the hub library's cache, and
  `--from FOLDER` a folder with the files of one repository, or with `owner/name` folders for several; an incomplete
  copy is refused. For weights in a permanent folder, set `repo: "file:/path"` in an overlay file (`--models FILE`);
  `models pull` then hashes and locks them in that folder.
- Workers run with `HF_HUB_OFFLINE=1`: weights that are not installed are reported as missing. Restart a running
  server after `pull`.
- A model with `env:` in models.yaml has a separate environment, because its packages conflict with others. `models
  pull` creates it with uv if installed, else with venv and pip. With `--offline`, packages come only from the wheels
  in `UV_FIND_LINKS` or `PIP_FIND_LINKS`. An interrupted creation leaves no files. `models pull NAME` also repairs a
  damaged environment, and `models rm --unused` deletes those that no model needs.

The licences are those of the weights, as stated by their owners: read them before you use the output. NC: no
commercial use. Memory is an estimate for one step with all components in memory, used until it is measured on this
machine; most models run in less memory, more slowly.
"""

TASK_HEADINGS: Mapping[TaskGroup, str] = {
    "text": "Text",
    "image": "Images",
    "video": "Video",
    "speech": "Speech",
    "music": "Music",
    "assembly": "Composition",
}
"""Headings of task groups. A model belongs to the first group with one of its step kinds."""


def render_page(catalog: Catalog) -> str:
    """Return the page as Markdown. It depends only on the catalog, not on the machine."""
    parts = [INTRODUCTION, "## Profiles\n", _table(["profile", "description", "GPU", "models"], _profiles(catalog)), ""]
    for heading, specs in group_by_task(catalog.models.values()):
        parts += [f"## {heading}\n", _table(HEADER, [_model_row(spec) for spec in specs]), ""]
    parts += [
        "## Aliases\n",
        "An alias stands for the first of its models that is installed and supports the step, unless the profile "
        "chooses another.\n",
    ]
    parts.append(_table(["alias", "models"], [[name, ", ".join(models)] for name, models in catalog.aliases.items()]))
    return "\n".join(parts)


def group_by_task(specs: Iterable[ModelSpec]) -> Iterator[tuple[str, list[ModelSpec]]]:
    """Yield each heading with its models. Each model appears once; headings without models are left out."""
    rest = list(specs)
    for group, heading in TASK_HEADINGS.items():
        own = [spec for spec in rest if any(CONTRACTS[kind].task_group == group for kind in spec.kinds)]
        rest = [spec for spec in rest if spec not in own]
        if own:
            yield heading, own


HEADER = ["model", "step kinds", "licence", "download", "memory", "reference images", "languages", "install"]


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
    """Return the number of reference images of an image or video model. With several, earlier scenes are among them."""
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

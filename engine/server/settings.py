"""What the server can be told: by the environment, or by one TOML file. Imports nothing heavy: `serve --help` lists it."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast


class SettingsError(ValueError):
    """A setting cannot be; the message names it and says what would be right."""


def _setting(default: Any, description: str, minimum: float | None = None) -> Any:
    if isinstance(default, tuple):
        return field(default=default, metadata={"description": description})
    return field(default=default, metadata={"description": description, "minimum": minimum})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One field per setting; the environment calls `name` `ENGINE_NAME`, the file calls it `name`."""

    api_keys: tuple[str, ...] = _setting((), "keys that clients may use, separated by commas")
    public_url: str = _setting("", "how clients reach this server, for addresses in answers; default: as they asked")
    customer_id: str = _setting("local", "who webhooks say the story belongs to")
    models: tuple[str, ...] = _setting((), "files like models.yaml that win over it, separated by commas")
    short_side: int = _setting(720, "pixels of the shorter side of a film whose size nobody named", 64)
    fps: int = _setting(24, "frames per second of a film whose rate nobody named", 8)
    max_scenes: int = _setting(20, "scenes of one story", 1)
    auto_scene_count: bool = _setting(
        False, "the writer chooses how many scenes a story has when the request does not say"
    )
    max_images: int = _setting(20, "pictures of one request", 1)
    max_upload_mb: int = _setting(25, "megabytes of one uploaded picture", 1)
    max_body_mb: int = _setting(128, "megabytes of one request", 1)
    max_concurrent_stories: int = _setting(
        1, "stories that are made at the same time; steps still share the devices", 1
    )
    max_queued_stories: int = _setting(10_000, "stories that may wait; more are refused with 429", 1)
    creations_per_minute: int = _setting(0, "creating requests per key and minute; 0: any number", 0)
    credit_budget: int = _setting(0, "credits that each key may spend; then 402; 0: no budget, nothing is counted", 0)
    credit_costs: tuple[str, ...] = _setting(
        ("scene_image=1", "scene_video=4"), "what a picture and a clip of a scene cost; what is there already is free"
    )
    sync_wait_seconds: tuple[float, float, float] = _setting(
        (50.0, 110.0, 170.0), "how long steps 1, 1.5 and 2 wait before they answer `processing`"
    )
    media_url_seconds: int = _setting(3600, "how long a media address is good for, at least", 60)
    retention_days: float = _setting(0.0, "days after which a story is deleted; 0: never", 0)
    strictness: str = _setting("normal", "what prompts may say when the request leaves it open: normal or liberal")
    webhook_secret: str = _setting("", "whsec_… that signs webhooks; default: made once and kept")
    webhook_allowed_hosts: tuple[str, ...] = _setting((), "names or networks inside that webhooks may go to")
    webhook_retry_delays: tuple[float, ...] = _setting(
        (10.0, 60.0, 600.0, 3600.0, 14400.0), "seconds before each further try of a webhook"
    )

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> ServerSettings:
        """From `ENGINE_…`, over the file that `ENGINE_SETTINGS` names. Raises SettingsError."""
        path = environment.get("ENGINE_SETTINGS")
        values = _read_toml(Path(path)) if path else {}
        unknown = sorted(set(values) - {one.name for one in fields(cls)})
        if unknown:
            raise SettingsError(f"{path}: no setting {unknown[0]!r}")
        for setting in fields(cls):
            text = environment.get(f"ENGINE_{setting.name.upper()}")
            if text is not None:
                values[setting.name] = _parse_value(setting, text)
        return cls(**{one.name: _validate_value(one, values[one.name]) for one in fields(cls) if one.name in values})


def describe_settings() -> str:
    """Every setting with its default, one per line."""
    lines = []
    for setting in fields(ServerSettings):
        default = ",".join(map(str, setting.default)) if isinstance(setting.default, tuple) else str(setting.default)
        lines.append(
            f"  ENGINE_{setting.name.upper()}"
            + (f"={default}" if default else "")
            + f"  {setting.metadata['description']}"
        )
    return "\n".join(lines)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML ({error})") from error


def _parse_value(setting: Field[Any], text: str) -> Any:
    default: Any = setting.default
    try:
        if isinstance(default, tuple):
            parts = [part.strip() for part in text.split(",") if part.strip()]
            return [float(part) for part in parts] if default and isinstance(default[0], float) else parts
        if isinstance(default, bool):
            return {"1": True, "true": True, "0": False, "false": False}[text.strip().lower()]
        return type(default)(text)
    except (ValueError, KeyError):
        raise SettingsError(f"ENGINE_{setting.name.upper()}: {text!r} is not what it takes ({default!r})") from None


def _validate_value(setting: Field[Any], value: Any) -> Any:
    default: Any = setting.default
    if isinstance(default, tuple):
        if not isinstance(value, list):
            raise SettingsError(f"{setting.name}: must be a list")
        if setting.name == "sync_wait_seconds" and len(value) != 3:
            raise SettingsError(f"{setting.name}: three numbers, for steps 1, 1.5 and 2")
        if default and isinstance(default[0], float):
            if not all(isinstance(item, int | float) and 0 <= item < math.inf for item in value):
                raise SettingsError(f"{setting.name}: must be numbers of seconds")
            return tuple(float(item) for item in value)
        return tuple(str(item) for item in value)
    if isinstance(default, float) and isinstance(value, int):
        value = float(value)
    if type(value) is not type(default) or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingsError(f"{setting.name}: {value!r} is not what it takes ({default!r})")
    minimum = cast("float | None", setting.metadata.get("minimum"))
    if minimum is not None and value < minimum:
        raise SettingsError(f"{setting.name}: at least {minimum}, not {value}")
    if setting.name == "strictness" and value not in ("normal", "liberal"):
        raise SettingsError("strictness: normal or liberal")
    return value

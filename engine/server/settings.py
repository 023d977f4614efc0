"""Settings of the server, from environment variables or one TOML file.

`serve --help` lists them, so this module imports pydantic-settings only when it reads them.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "ENGINE_"
CONFIG_FILE = f"{PREFIX}CONFIG_FILE"
"""Environment variable with the path of the TOML file."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SettingsError(ValueError):
    """An invalid setting; the message names the setting and the valid values."""


class ServerSettings(BaseModel):
    """One field per setting: `name` in the TOML file, `ENGINE_NAME` in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_keys: tuple[str, ...] = Field((), description="API keys of clients, separated by commas")
    public_url: str = Field("", description="base URL of this server in responses; default: that of each request")
    customer_id: str = Field("local", description="`customer_id` in the body of webhooks")
    models: tuple[str, ...] = Field(
        (), description="overlay files whose entries override models.yaml, separated by commas"
    )
    short_side: int = Field(720, ge=64, description="default length of the shorter side of a film, in pixels")
    fps: int = Field(24, ge=8, description="default frames per second of a film")
    max_scenes: int = Field(20, ge=1, description="scenes per story")
    auto_scene_count: bool = Field(
        False, description="let the writer choose the number of scenes if a request omits it"
    )
    max_images: int = Field(20, ge=1, description="images per request")
    max_upload_mb: int = Field(25, ge=1, description="size of one uploaded image, in MB")
    max_body_mb: int = Field(128, ge=1, description="size of one request, in MB")
    max_concurrent_stories: int = Field(1, ge=1, description="stories processed concurrently; they share the devices")
    max_queued_stories: int = Field(10_000, ge=1, description="queued stories; further requests get 429")
    creations_per_minute: int = Field(0, ge=0, description="creating requests per API key and minute; 0: no limit")
    credit_budget: int = Field(0, ge=0, description="credits per API key; further requests get 402; 0: no budget")
    credit_costs: tuple[str, ...] = Field(
        ("scene_image=1", "scene_video=4"), description="credits per image and clip of a scene; cached steps are free"
    )
    sync_wait_seconds: tuple[Seconds, Seconds, Seconds] = Field(
        (50.0, 110.0, 170.0), description="timeouts of steps 1, 1.5 and 2, after which they respond with `processing`"
    )
    media_url_seconds: int = Field(3600, ge=60, description="minimum lifetime of media URLs, in seconds")
    retention_days: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="days after which a story is deleted; 0: never"
    )
    strictness: Literal["normal", "liberal"] = Field("normal", description="default text moderation: normal or liberal")
    webhook_secret: str = Field("", description="whsec_… that signs webhooks; default: generated once and stored")
    webhook_allowed_hosts: tuple[str, ...] = Field(
        (), description="private hosts or networks allowed as webhook targets"
    )
    webhook_retry_delays: tuple[Seconds, ...] = Field(
        (10.0, 60.0, 600.0, 3600.0, 14400.0), description="seconds before each webhook retry"
    )

    @field_validator(
        "api_keys", "models", "credit_costs", "sync_wait_seconds", "webhook_allowed_hosts", "webhook_retry_delays",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _split_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        return tuple(value) if isinstance(value, list) else value

    @classmethod
    def read(cls) -> ServerSettings:
        """Read the environment, over the file of ENGINE_CONFIG_FILE. Raises SettingsError."""
        path = os.environ.get(CONFIG_FILE)
        file_values = _read_toml(Path(path)) if path else {}
        try:
            return _loader()(**file_values)
        except ValidationError as error:
            raise SettingsError(_describe_error(error)) from None


def describe_settings() -> str:
    """Return every setting with its default, one per line."""
    lines = []
    for name, field in ServerSettings.model_fields.items():
        default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)
        lines.append(f"  {PREFIX}{name.upper()}" + (f"={default}" if default else "") + f"  {field.description}")
    return "\n".join(lines)


def _loader() -> type[ServerSettings]:
    """Return the settings class that reads the environment; its arguments are values of lower priority."""
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

    class Loader(ServerSettings, BaseSettings):
        model_config = SettingsConfigDict(env_prefix=PREFIX, enable_decoding=False)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, init_settings

    return Loader


def _read_toml(path: Path) -> dict[str, Any]:
    """Return the settings of a file, with the types that TOML gives them. Raises SettingsError."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        settings = ServerSettings.model_validate_json(json.dumps(content, default=str), strict=True)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {_describe_error(error)}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: not valid TOML ({error})") from error
    return settings.model_dump(exclude_unset=True)


def _describe_error(error: ValidationError) -> str:
    """Return the name of the first invalid setting and what is wrong, without the value: it can be a secret."""
    from pipelines.models.catalog import suggest

    first = error.errors(include_url=False)[0]
    name, *indexes = first["loc"]
    if first["type"] == "extra_forbidden":
        return f"unknown setting {str(name)!r}{suggest(str(name), list(ServerSettings.model_fields))}"
    if first["type"] == "missing":
        return f"{name}: value {indexes[0] if indexes else ''} is missing"
    return f"{name}: {first['msg'].replace('Input should be', 'must be', 1)}"

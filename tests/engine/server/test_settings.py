"""Settings of the server: the environment overrides the file; each setting is validated and listed."""

import os

import pytest

from engine.server.http.rate_limit import RateLimiter
from engine.server.http.signed_urls import SignedUrls
from engine.server.settings import ServerSettings, SettingsError, describe_settings
from tests.engine.server.test_operation import run


@pytest.fixture
def read(monkeypatch):
    """Read the settings of an environment."""

    def read_environment(environment):
        for name in [name for name in os.environ if name.startswith("ENGINE_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return ServerSettings.read()

    return read_environment


def test_the_defaults_without_environment_and_file(read):
    settings = read({})
    assert (settings.max_scenes, settings.max_upload_mb, settings.max_queued_stories) == (20, 25, 10_000)
    assert settings.sync_wait_seconds == (50.0, 110.0, 170.0)
    assert settings.customer_id == "local"


def test_the_environment_overrides_the_file(tmp_path, read):
    file = tmp_path / "server.toml"
    file.write_text('max_scenes = 7\nfps = 30\napi_keys = ["a", "b"]\nauto_scene_count = true\n')
    settings = read({"ENGINE_CONFIG_FILE": str(file), "ENGINE_MAX_SCENES": "9", "ENGINE_SYNC_WAIT_SECONDS": "1,2,3"})
    assert (settings.max_scenes, settings.fps, settings.api_keys) == (9, 30, ("a", "b"))
    assert (settings.auto_scene_count, settings.sync_wait_seconds) == (True, (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "environment",
    [
        {"ENGINE_MAX_SCENES": "many"},
        {"ENGINE_MAX_SCENES": "0"},
        {"ENGINE_SYNC_WAIT_SECONDS": "1,2"},
        {"ENGINE_SYNC_WAIT_SECONDS": "1,2,x"},
        {"ENGINE_SYNC_WAIT_SECONDS": "1,2,nan"},
        {"ENGINE_SYNC_WAIT_SECONDS": "1,2,-3"},
        {"ENGINE_RETENTION_DAYS": "inf"},
        {"ENGINE_RETENTION_DAYS": "nan"},
        {"ENGINE_STRICTNESS": "none"},
        {"ENGINE_AUTO_SCENE_COUNT": "perhaps"},
        {"ENGINE_CONFIG_FILE": "/no/such/file.toml"},
    ],
)
def test_an_invalid_environment_variable_is_an_error(environment, read):
    with pytest.raises(SettingsError):
        read(environment)


@pytest.mark.parametrize(
    "text",
    [
        "no_such = 1",
        "max_scenes = true",
        'max_scenes = "7"',
        "api_keys = 5",
        "max_scenes =",
        'sync_wait_seconds = ["1", "2", "three"]',
        "webhook_retry_delays = [inf]",
    ],
)
def test_an_invalid_file_is_an_error(tmp_path, text, read):
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        read({"ENGINE_CONFIG_FILE": str(file)})


def test_an_unknown_setting_in_the_file_gets_a_suggestion(tmp_path, read):
    file = tmp_path / "server.toml"
    file.write_text("max_scene = 7")
    with pytest.raises(SettingsError, match="max_scenes"):
        read({"ENGINE_CONFIG_FILE": str(file)})


def test_an_error_does_not_repeat_the_value(read):
    with pytest.raises(SettingsError) as error:
        read({"ENGINE_FPS": "secret-value"})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"ENGINE_CREDIT_COSTS": "moon=1"},
        {"ENGINE_WEBHOOK_ALLOWED_HOSTS": "http://x/"},
    ],
)
def test_serve_prints_an_invalid_setting_in_one_line(tmp_path, setting):
    answer = run("serve", "--port", "0", home=tmp_path, **setting)
    assert answer.returncode == 2
    (line,) = answer.stderr.strip().splitlines()
    assert line.startswith(next(iter(setting)).removeprefix("ENGINE_").lower())


def test_help_lists_every_setting(tmp_path):
    result = run("serve", "--help", home=tmp_path).stdout
    for name in ServerSettings.model_fields:
        assert f"ENGINE_{name.upper()}" in result
    assert describe_settings().count("\n") + 1 == len(ServerSettings.model_fields)


def test_the_rate_limiter_refills_over_time():
    now = [0.0]
    rate = RateLimiter(60, clock=lambda: now[0])
    assert [rate.acquire("a") for _ in range(60)] == [0.0] * 60
    assert rate.acquire("a") == pytest.approx(1.0)
    assert rate.acquire("b") == 0.0
    now[0] = 1.0
    assert rate.acquire("a") == 0.0


def test_media_urls_stay_equal_within_a_period_and_expire_after_their_lifetime():
    now = [10_000.0]
    media = SignedUrls("secret", 3600, clock=lambda: now[0])
    path = media.sign("s", "d" * 64, "a.png")
    now[0] += 600
    assert media.sign("s", "d" * 64, "a.png") == path
    medium = media.parse_url(f"http://any.host:1/{path[1:]}")
    assert medium is not None
    now[0] = 10_000.0 + 3600
    assert not media.is_expired(medium)
    now[0] = 10_000.0 + 3 * 3600
    assert media.is_expired(medium)
    assert media.parse_url(path) == medium  # valid as input
    assert SignedUrls("other", 3600).parse_url(path) is None
    assert media.sign("s", "d" * 64, "film.mp4", 1) != media.sign("s", "d" * 64, "film.mp4", 2)

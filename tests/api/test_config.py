"""Settings of the api: what is refused, in which words; and the example file against the real defaults."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from api.config import ApiSettings
from common.config import settings_error_lines
from worker.config import WorkerSettings

ROOT = Path(__file__).parents[2]
SECRET = "0123456789abcdef" * 2
TOKEN = "fedcba9876543210"


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ApiSettings(_env_file=None, **values)
    lines = settings_error_lines(caught.value)
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "JWT_SECRET must be set when ENVIRONMENT is production"),
        ({"jwt_secret": "short"}, "JWT_SECRET must be at least 32 bytes long"),
        ({"jwt_secret": "your-secret-token-here-please-change"}, "JWT_SECRET still holds an example value"),
        ({"jwt_secret": SECRET}, "ACCESS_TOKEN must be set when ENVIRONMENT is production"),
        ({"jwt_secret": SECRET, "access_token": "short"}, "ACCESS_TOKEN must be at least 16 bytes long"),
        ({"jwt_secret": SECRET, "access_token": "your-secret-token-here"}, "ACCESS_TOKEN still holds an example"),
        ({"environment": "produktion"}, "ENVIRONMENT: Input should be 'development', 'test', 'staging' or"),
        ({"environment": "dev", "jwt_secret": "short"}, "JWT_SECRET must be at least 32 bytes long, or left out"),
        ({"environment": "dev", "api_host": "0.0.0.0"}, "API_HOST 0.0.0.0 is reachable from the network"),
        ({"environment": "dev", "api_host": "box.lan"}, "set ALLOW_OPEN_ACCESS_FROM_NETWORK=true"),
        ({"environment": "dev", "api_port": 70000}, "API_PORT: Input should be less than or equal to 65535"),
        ({"environment": "dev", "api_port": "web"}, "API_PORT: Input should be a valid integer"),
        ({"environment": "dev", "cors_origins": "*"}, "CORS_ORIGINS: every origin must read http(s)://host[:port]"),
        ({"environment": "dev", "max_wait": "soon"}, "MAX_WAIT: "),
        ({"environment": "dev", "max_wait": "3600"}, "MAX_WAIT: Input should be less than or equal to"),
        ({"environment": "dev", "page_limit": 300}, "PAGE_LIMIT must not be greater than MAX_PAGE_LIMIT"),
    ],
)
def test_wrong_setting_is_one_clear_sentence(values: dict[str, Any], line: str) -> None:
    said = refusal(**values)
    assert line in said
    for secret in (values.get("jwt_secret"), values.get("access_token")):
        assert secret is None or secret not in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_open_environment_listens_on_this_machine(host: str) -> None:
    assert ApiSettings.model_validate({"environment": "dev", "api_host": host}).api_host == host


def test_open_environment_can_be_opened_by_name() -> None:
    values = {"environment": "dev", "api_host": "0.0.0.0", "allow_open_access_from_network": True}
    assert ApiSettings.model_validate(values).api_host == "0.0.0.0"


def test_origins_are_separated_by_commas() -> None:
    settings = ApiSettings.model_validate({"environment": "dev", "cors_origins": "https://a.example, http://b:3000"})
    assert settings.cors_origins == ("https://a.example", "http://b:3000")


@pytest.mark.parametrize("settings", [ApiSettings, WorkerSettings])
def test_example_file_shows_the_real_defaults(settings: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    shown = dict(re.findall(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))
    secrets = {"JWT_SECRET": SECRET, "ACCESS_TOKEN": TOKEN}
    for name in shown:
        monkeypatch.delenv(name, raising=False)
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    defaults = settings(_env_file=None)
    for name, value in {**shown, **secrets}.items():
        monkeypatch.setenv(name, value)

    assert settings(_env_file=None) == defaults

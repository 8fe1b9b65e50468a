"""Starts with an unsafe setting: production refuses each with one sentence that names the setting (A12, A24, T09)."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api.config import ApiSettings
from api.main import main
from api.settings_summary import summarize
from common.hosts import is_open_store

SAFE = {
    "ENVIRONMENT": "production",
    "JWT_SECRET": "tXb9vQ2mLr7KzP4wNc8dYh3sFg6jUa1e",
    "ACCESS_TOKEN": "Zk5qRw8nVx2bTm7c",
}
AWAY = "db.example.com"

# What is changed, the setting that the sentence names, and some of its words.
UNSAFE: dict[str, tuple[dict[str, str], str]] = {
    "A12 no secret": ({"JWT_SECRET": ""}, "JWT_SECRET must be set when ENVIRONMENT is production"),
    "A12 short secret": ({"JWT_SECRET": "tXb9vQ2mLr7KzP4wNc8dYh3sFg6jUa1"}, "JWT_SECRET must be at least 32 bytes"),
    "A12 example secret": ({"JWT_SECRET": "please-change-me-tXb9vQ2mLr7KzP4wNc8"}, "JWT_SECRET still holds an example"),
    "A12 seed's secret": ({"JWT_SECRET": "your-jwt-secret-tXb9vQ2mLr7KzP4wNc8"}, "JWT_SECRET still holds an example"),
    "A12 one character": ({"JWT_SECRET": "a" * 64}, "JWT_SECRET is too easy to guess"),
    "A12 two characters": ({"JWT_SECRET": "ab" * 32}, "JWT_SECRET is too easy to guess"),
    "no token": ({"ACCESS_TOKEN": ""}, "ACCESS_TOKEN must be set when ENVIRONMENT is production"),
    "short token": ({"ACCESS_TOKEN": "Zk5qRw8nVx2bTm7"}, "ACCESS_TOKEN must be at least 16 bytes"),
    "seed's token": ({"ACCESS_TOKEN": "your-secret-token-here"}, "ACCESS_TOKEN still holds an example"),
    "simple token": ({"ACCESS_TOKEN": "1111111111111111"}, "ACCESS_TOKEN is too easy to guess"),
    "token is the secret": ({"ACCESS_TOKEN": SAFE["JWT_SECRET"]}, "ACCESS_TOKEN must not be JWT_SECRET"),
    "A24 misspelt": ({"ENVIRONMENT": "prodution"}, "ENVIRONMENT: "),
    "A24 two words": ({"ENVIRONMENT": "development test"}, "ENVIRONMENT: "),
    "A24 production by another name, without secrets": (
        {"ENVIRONMENT": " Production ", "JWT_SECRET": ""},
        "JWT_SECRET must be set when ENVIRONMENT is production",
    ),
    "A24 short for production, without secrets": ({"ENVIRONMENT": "PROD", "JWT_SECRET": ""}, "JWT_SECRET must be set"),
    "A24 unset, without secrets": ({"ENVIRONMENT": "", "ACCESS_TOKEN": ""}, "ACCESS_TOKEN must be set"),
    "open to the network": (
        {"ENVIRONMENT": "development", "API_HOST": "0.0.0.0"},
        "API_HOST 0.0.0.0 is reachable from the network",
    ),
    "open to the network, IPv6": ({"ENVIRONMENT": "test", "API_HOST": "::"}, "API_HOST :: is reachable"),
    "every origin": ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS: every origin must read http(s)://host[:port]"),
    "some origins by pattern": ({"CORS_ORIGINS": "https://*.example"}, "CORS_ORIGINS: "),
    "origin null": ({"CORS_ORIGINS": "null"}, "CORS_ORIGINS: "),
    "every proxy": ({"TRUSTED_PROXIES": "*"}, "TRUSTED_PROXIES: every entry must be an address or a network"),
    "every address is a proxy": ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "TRUSTED_PROXIES: 0.0.0.0/0 would let everybody"),
    "every IPv6 address is a proxy": ({"TRUSTED_PROXIES": "10.0.0.1,::/0"}, "TRUSTED_PROXIES: ::/0 would let"),
    "every host": ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS: every entry must be a host name without port"),
    "host with port": ({"ALLOWED_HOSTS": "api.example:443"}, "ALLOWED_HOSTS: "),
    "documentation for whom": ({"DOCS_ACCESS": "everybody"}, "DOCS_ACCESS: "),
    "T09 PostgreSQL": ({"DATABASE_URL": f"postgresql://letuin@{AWAY}/letuin"}, "DATABASE_URL names another host"),
    "T09 Redis": ({"REDIS_URL": f"redis://{AWAY}:6379/0"}, "REDIS_URL names another host and no password"),
    "T09 MongoDB": ({"MONGODB_URL": f"mongodb://a@127.0.0.1,{AWAY}/logs"}, "MONGODB_URL names another host"),
    "T12 Chroma": ({"CHROMA_URL": f"http://{AWAY}:8000"}, "CHROMA_URL names another host and there is no CHROMA_TOKEN"),
    "no limit on headers": ({"MAX_HEADER_BYTES": "1000000000"}, "MAX_HEADER_BYTES: "),
    "no limit on depth": ({"MAX_JSON_DEPTH": "100000"}, "MAX_JSON_DEPTH: "),
    "tokens for ever": ({"JWT_LIFETIME": "P1000D"}, "JWT_LIFETIME: "),
    "no waiting": ({"REQUEST_TIMEOUT": "0"}, "REQUEST_TIMEOUT: "),
}


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Start the api as `python -m api.main` does, with these variables alone; what it said when it refused."""
    monkeypatch.chdir(tmp_path)  # no .env
    monkeypatch.setattr(sys, "argv", ["api"])

    def run(**variables: str) -> str:
        for name, value in {**SAFE, **variables}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        return err

    return run


@pytest.mark.parametrize(("changes", "words"), UNSAFE.values(), ids=UNSAFE)
def test_unsafe_start_is_refused(start: Callable[..., str], changes: dict[str, str], words: str) -> None:
    said = start(**changes)

    assert said.count("\n") == 1, said
    assert words in said
    for name in ("JWT_SECRET", "ACCESS_TOKEN"):  # L07
        value = changes.get(name, SAFE[name])
        assert not value or value not in said


def test_safe_settings_reach_the_next_step(start: Callable[..., str], tmp_path: Path) -> None:
    """The other side: with nothing unsafe it is the log file that cannot be written, named last on purpose."""
    said = start(LOG_FILE_PATH="/proc/nowhere/app.log", DATABASE_URL=f"postgresql://u:p@{AWAY}/x", DOCS_ACCESS="token")
    assert said.startswith("LOG_FILE_PATH: ")


def test_processes_can_be_compared_by_one_line() -> None:
    """T15: equal settings have equal fingerprints, every difference shows, no secret does."""

    def line(**changes: object) -> dict[str, object]:
        secrets = {name.lower(): value for name, value in SAFE.items()}
        return summarize(ApiSettings.model_validate({**secrets, **changes}))

    usual = line()
    assert usual == line()
    assert (usual["environment"], usual["docs_access"], usual["allowed_hosts"]) == ("production", "off", [])
    assert not any(secret in str(usual) for secret in (SAFE["JWT_SECRET"], SAFE["ACCESS_TOKEN"]))
    for changes in (
        {"access_token": "Zk5qRw8nVx2bTm7d"},
        {"docs_access": "token"},
        {"cors_origins": "https://a.example"},
    ):
        assert line(**changes)["fingerprint"] != usual["fingerprint"], changes


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("postgresql://letuin@127.0.0.1:5432/letuin", False),
        ("postgresql://letuin@[::1]:5432/letuin", False),
        ("postgresql:///letuin?host=/run/postgresql", False),
        ("redis://localhost:6379/0", False),
        ("unix:///run/redis.sock", False),
        ("redis://:secret@cache.example:6379/0", False),
        ("redis://cache.example/0?password=secret", False),
        ("redis://cache.example:6379/0", True),
        ("redis://10.0.0.1:6379/0", True),
        ("redis://127.0.0.1.example:6379/0", True),
        ("postgresql://letuin:@db.example/letuin", True),
        ("mongodb://127.0.0.1:1,10.0.0.1:2/x", True),
        ("redis://[2001:db8::1]:6379/0", True),
    ],
)
def test_which_stores_are_open(url: str, is_open: bool) -> None:
    assert is_open_store(url) is is_open

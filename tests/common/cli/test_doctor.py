"""`letuin doctor`: what it finds, on real servers and on missing ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.letuin import letuin_here
from tests.fixtures.stores import Stores

_NOWHERE = "127.0.0.1:1"


def _findings(folder: Path, env: dict[str, str]) -> tuple[int, dict[str, dict[str, Any]]]:
    answer = letuin_here("doctor", "--json", "--url", f"http://{_NOWHERE}", folder=folder, env=env)
    assert "Traceback" not in answer.stderr
    return answer.returncode, {item["check"]: item for item in json.loads(answer.stdout)}


def test_it_finds_the_stores_and_misses_the_api(tmp_path: Path, stores: Stores) -> None:
    code, found = _findings(tmp_path, stores.environment)

    assert code == 1
    assert found["DATABASE_URL"]["verdict"] == "ok"
    assert "revision" in found["DATABASE_URL"]["detail"]
    assert found["REDIS_URL"]["detail"].startswith("Valkey ")
    assert (found["api"]["verdict"], found["CHROMA_URL"]["verdict"]) == ("fail", "warn")
    assert all(item["mend"] for item in found.values() if item["verdict"] != "ok")


def test_servers_that_are_away_fail_without_showing_passwords(tmp_path: Path) -> None:
    env = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": f"postgresql://letuin:sesame@{_NOWHERE}/letuin",
        "REDIS_URL": f"redis://:sesame@{_NOWHERE}/0",
        "MONGODB_URL": f"mongodb://letuin:sesame@{_NOWHERE}",
        "CHROMA_URL": f"http://{_NOWHERE}",
        "SMTP_URL": f"smtp://letuin:sesame@{_NOWHERE}",
        "OPENAI_BASE_URL": f"http://{_NOWHERE}/v1",
    }

    code, found = _findings(tmp_path, env)

    assert code == 1
    assert {name for name, item in found.items() if item["verdict"] == "fail"} == {
        *("DATABASE_URL", "REDIS_URL", "MONGODB_URL", "CHROMA_URL", "SMTP_URL", "model", "api")
    }
    assert "sesame" not in json.dumps(found)


@pytest.mark.parametrize(
    ("env", "check", "detail"),
    [
        ({"ENVIRONMENT": "prodution"}, "settings", "ENVIRONMENT: "),
        ({"ENVIRONMENT": "production"}, "JWT_SECRET", "must be set when ENVIRONMENT is production"),
        ({"ENVIRONMENT": "production", "JWT_SECRET": "x" * 31}, "JWT_SECRET", "must be at least 32 bytes long"),
        ({"ENVIRONMENT": "production", "ACCESS_TOKEN": "change-this-please"}, "ACCESS_TOKEN", "still holds an example"),
    ],
)
def test_a_wrong_setting_fails(env: dict[str, str], check: str, detail: str, tmp_path: Path) -> None:
    code, found = _findings(tmp_path, env)

    assert code == 1
    assert found[check]["verdict"] == "fail"
    assert found[check]["detail"].startswith(detail)


def test_a_data_folder_that_cannot_be_made_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    _, found = _findings(tmp_path, {"DATA_DIR": "file/data"})

    assert found["DATA_DIR"]["verdict"] == "fail"

"""What ops start Letuin with is read by the tools it is written for, and names only what the code knows."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from common.queue.definition import QueueName
from tests.fixtures.stores import Stores

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
INSTALLED = "/opt/letuin/.venv/bin/letuin"
NOT_SETTINGS = {"PATH", "PYTHONUNBUFFERED", "KEDA_DATABASE_URL"}
QUEUES = {str(queue) for queue in QueueName}


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text("utf-8")))


def containers() -> Iterator[dict[str, Any]]:
    for each in manifests("letuin.yaml"):
        if each["kind"] in ("Deployment", "Job"):
            yield from each["spec"]["template"]["spec"]["containers"]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return loaded


def settings() -> set[str]:
    return set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))


def test_the_dockerfile_follows_the_rules_of_its_linter() -> None:
    run(BIN / "hadolint", ROOT / "Dockerfile")


def test_compose_fits_the_specification() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml")


def test_the_manifests_fit_kubernetes() -> None:
    run(BIN / "kubernetes-validate", "--strict", "--quiet", DEPLOY / "kubernetes" / "letuin.yaml")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", ["letuin-api.service", "letuin-worker@.service"])
def test_the_units_are_read_by_systemd(name: str, tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / name).read_text("utf-8")
    assert INSTALLED in unit
    (tmp_path / name).write_text(unit.replace(INSTALLED, "/bin/true"))
    run("systemd-analyze", "verify", "--man=no", tmp_path / name.replace("@.", "@llm."))


def test_every_variable_is_a_setting() -> None:
    named = set(compose()["x-letuin"]["environment"])
    for each in manifests("letuin.yaml"):
        named |= set(each.get("data", {})) if each["kind"] == "ConfigMap" else set()
    for path in (DEPLOY / "systemd").iterdir():
        named |= set(re.findall(r"^Environment=(\w+)=", path.read_text("utf-8"), re.MULTILINE))
    image = re.findall(r"\b([A-Z][A-Z_]+)=", (ROOT / "Dockerfile").read_text("utf-8").rpartition("FROM ")[2])
    assert (named | set(image)) - NOT_SETTINGS <= settings()


def test_every_process_runs_one_of_our_commands_and_all_queues_are_served() -> None:
    commands = [service["command"] for service in compose()["services"].values() if "depends_on" in service]
    for arguments in (commands, [each["args"] for each in containers()]):
        assert {first for first, *_ in arguments} == {"api", "worker", "migrate"}
        served = [words[words.index("--queues") + 1].split(",") for words in arguments if "--queues" in words]
        assert {queue for queues in served for queue in queues} == QUEUES


def test_no_container_may_do_more_than_it_needs() -> None:
    for each in containers():
        context = each["securityContext"]
        assert context["runAsNonRoot"]
        assert context["readOnlyRootFilesystem"]
        assert context["capabilities"] == {"drop": ["ALL"]}
    assert "USER 10001" in (ROOT / "Dockerfile").read_text("utf-8")


async def test_the_scalers_questions_are_understood_by_the_database(stores: Stores) -> None:
    deployments = {each["metadata"]["name"] for each in manifests("letuin.yaml") if each["kind"] == "Deployment"}
    scaled = [each for each in manifests("keda.yaml") if each["kind"] == "ScaledObject"]
    assert {each["spec"]["scaleTargetRef"]["name"] for each in scaled} == deployments - {"letuin-api"}
    connection = await asyncpg.connect(stores.database_url)
    try:
        for each in scaled:
            assert await connection.fetchval(each["spec"]["triggers"][0]["metadata"]["query"]) == 0
    finally:
        await connection.close()


def test_every_page_has_its_place_in_the_site() -> None:
    def pages(nav: Any) -> Iterator[str]:
        if isinstance(nav, str):
            yield nav
        else:
            for each in nav.values() if isinstance(nav, dict) else nav:
                yield from pages(each)

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert set(pages(site["nav"])) == written | {"decisions/README.md"}

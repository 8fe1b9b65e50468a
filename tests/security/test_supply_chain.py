"""What is installed, from where, with which known holes and under which licences (C01 to C07), all offline."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
UV = os.environ.get("UV") or shutil.which("uv") or "uv"
# Not imported by name: a time zone database, an event loop that uvicorn picks, and what pydantic needs for addresses.
WITHOUT_IMPORT = {"tzdata", "uvloop", "hiredis", "email-validator", "argon2-cffi"}


@cache
def locked() -> dict[str, dict[str, Any]]:
    packages = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    return {package["name"]: package for package in packages}


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def requirements() -> list[Requirement]:
    """Every direct dependency, of the runtime and of all groups."""
    texts = [*project()["project"]["dependencies"]]
    for group in ("optional-dependencies",):
        texts += [each for extra in project()["project"].get(group, {}).values() for each in extra]
    texts += [each for group in project()["dependency-groups"].values() for each in group if isinstance(each, str)]
    return [Requirement(text) for text in texts]


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def test_every_file_of_the_lock_has_a_hash_and_comes_from_the_registry() -> None:
    """C01, C05"""
    for name, package in locked().items():
        if name == "letuin":
            continue
        assert package["source"] == {"registry": "https://pypi.org/simple"}, name
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, name
        assert all(len(each["hash"]) == len("sha256:") + 64 and each["hash"].startswith("sha256:") for each in files)


def test_the_lock_fits_the_project() -> None:
    """C01: nothing was added by hand to one of the two."""
    found = run(UV, "lock", "--check", "--offline")
    assert found.returncode == 0 or "offline" in found.stderr, found.stderr
    wanted = {canonicalize_name(each.name) for each in requirements()}
    assert wanted <= set(locked())


def test_a_changed_wheel_is_not_installed(tmp_path: Path) -> None:
    """C02"""
    wheel = tmp_path / "innocent-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("innocent.py", "")
        archive.writestr("innocent-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: innocent\nVersion: 1.0\n")
        archive.writestr(
            "innocent-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("innocent-1.0.dist-info/RECORD", "")
    digest = sha256(wheel.read_bytes()).hexdigest()
    wanted = tmp_path / "requirements.txt"
    install = [UV, "pip", "install", "--python", sys.executable, "--offline", "--no-cache", "--require-hashes"]
    install += ["--target", str(tmp_path / "target"), "-r", str(wanted)]

    wanted.write_text(f"innocent @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    assert run(*install).returncode == 0
    wanted.write_text(f"innocent @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    refused = run(*install, "--reinstall")
    assert refused.returncode != 0
    assert "Hash mismatch" in refused.stderr


def test_no_known_hole_is_locked() -> None:
    """C03"""
    known = tomllib.loads((ROOT / ".ci" / "advisories.toml").read_text("utf-8"))
    holes = [
        f"{floor['package']} {locked()[floor['package']]['version']} has {floor['advisory']}; {floor['fixed']} has not"
        for floor in known["floors"]
        if floor["package"] in locked() and Version(locked()[floor["package"]]["version"]) < Version(floor["fixed"])
    ]
    assert holes == []
    for accepted in known["accepted"]:
        assert accepted["until"] > datetime.now(UTC).date(), (
            f"look at {accepted['package']} again: {accepted['reason']}"
        )


def test_somebody_has_looked_at_every_direct_dependency() -> None:
    """C05: what is new has to be read about first, and everything again after a while."""
    looked_at = tomllib.loads((ROOT / ".ci" / "advisories.toml").read_text("utf-8"))["looked_at"]
    direct = {canonicalize_name(Requirement(text).name) for text in project()["project"]["dependencies"]}
    assert direct - set(looked_at["packages"]) == set()
    assert looked_at["until"] > datetime.now(UTC).date(), "read the advisories of the direct dependencies again"


def test_every_direct_dependency_is_bounded_and_from_the_registry() -> None:
    """C05"""
    assert [str(each) for each in requirements() if each.url or not each.specifier] == []


def test_every_dependency_of_the_runtime_is_imported() -> None:
    """C05: what nobody imports is not installed for everybody."""
    wanted = {canonicalize_name(Requirement(text).name) for text in project()["project"]["dependencies"]}
    modules = packages_distributions()
    used = {canonicalize_name(dist) for module in imported() for dist in modules.get(module, [])}
    assert wanted - used - WITHOUT_IMPORT == set()


def imported() -> Iterator[str]:
    for package in ("api", "common", "worker", "migration"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (each.name.partition(".")[0] for each in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.partition(".")[0]


@pytest.mark.skipif(shutil.which(UV) is None, reason="uv is not on PATH")
def test_the_list_of_parts_equals_the_lock(tmp_path: Path) -> None:
    """C06: `poe sbom`"""
    (task,) = (ROOT / "pyproject.toml").read_text("utf-8").split("\nsbom = ")[1:]
    assert "--format cyclonedx1.5" in task.partition("\n")[0]
    command = [UV, "export", "--quiet", "--frozen", "--no-default-groups", "--no-emit-project"]
    found = run(*command, "--format", "cyclonedx1.5")
    assert found.returncode == 0, found.stderr
    parts = {part["name"]: part for part in json.loads(found.stdout)["components"]}

    assert {name: part["version"] for name, part in parts.items()} == {
        name: locked()[name]["version"] for name in parts
    }
    assert {canonicalize_name(Requirement(each).name) for each in project()["project"]["dependencies"]} <= set(parts)
    assert not {"pytest", "secantusdb", "schemathesis"} & set(parts)


@pytest.mark.skipif(shutil.which(UV) is None, reason="uv is not on PATH")
def test_every_licence_of_the_runtime_may_be_shipped() -> None:
    """C07: `poe licenses`"""
    found = run("bash", ".ci/licenses")
    assert found.returncode == 0, found.stderr
    assert "GPL" not in found.stdout

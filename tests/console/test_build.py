"""The committed build is what the sources make, by digest always and by building again where Node is there."""

import filecmp
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES, BUILT = ROOT / "console", ROOT / "api" / "console" / "static"
_TOP = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
_BUILD = "run `uv run poe console` and commit api/console/static"


def test_build_belongs_to_the_sources() -> None:
    files = [path for path in (SOURCES / "src").rglob("*") if path.is_file() and path.name != "schema.d.ts"]
    digest = sha256()
    for path in sorted([*_TOP, *(file.relative_to(SOURCES).as_posix() for file in files)]):
        digest.update(f"{path}\0".encode() + (SOURCES / path).read_bytes() + b"\0")

    assert (BUILT / "sources.sha256").read_text().strip() == digest.hexdigest(), _BUILD


def test_build_names_nobody_else() -> None:
    page = (BUILT / "index.html").read_text()
    assert "http" not in page
    assert all("https://" not in path.read_text() for path in BUILT.glob("assets/*.css"))
    for package in ("preact", "socket.io-client", "uplot", "lucide"):
        assert f"## {package} " in (BUILT / "licenses.md").read_text(), package


def test_sources_make_the_build(tmp_path: Path) -> None:
    if (node := shutil.which("node")) is None:
        pytest.skip("needs Node: apt-get install -y --no-install-recommends nodejs npm")
    if not (SOURCES / "node_modules").is_dir():
        pytest.skip("needs the console's packages: npm ci --prefix console")
    made = tmp_path / "static"
    done = subprocess.run(
        [node, "node_modules/vite/bin/vite.js", "build", "--outDir", made],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()), _BUILD
    assert filecmp.cmpfiles(BUILT, made, names, shallow=False)[1:] == ([], []), _BUILD

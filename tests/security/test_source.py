"""What may not stand in the repository itself: secrets (L15), downloads (C11, C12), libraries that nobody cares for."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[0-9A-Za-z]{36}\b"
    r"|\bxox[abpr]-[0-9A-Za-z-]{20,}|\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}\b|\bAIza[0-9A-Za-z_-]{35}\b"
)
BINARY = {".png", ".ico", ".gz", ".npz", ".woff2", ".pdf", ".docx"}
DOWNLOADS = re.compile(
    r"\b(?:curl|wget)\b[^\n]*https?://(?!127\.0\.0\.1|localhost)|pip install [^\n]*(?:git\+|https?://)"
)
DUMPS = re.compile(r"^\s*(?:env|printenv|set -x|export -p)\s*$", re.MULTILINE)


def tracked() -> Iterator[tuple[str, str]]:
    """Path and text of every file of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix not in BINARY and path.is_file():
            yield name, path.read_text("utf-8", errors="replace")


def test_l15_no_secret_lies_in_the_repository() -> None:
    found = [
        (name, match[0][:12])
        for name, text in tracked()
        if name not in ("uv.lock", "tests/security/test_source.py")
        for match in SECRETS.finditer(text)
        if len(set(match[0])) > 16 and "canary" not in match[0].lower()
    ]
    assert found == []


def test_c11_c12_nothing_is_downloaded_but_by_the_installer() -> None:
    scripts = [(name, text) for name, text in tracked() if name.startswith((".ci/", "deploy/")) or "Dockerfile" in name]
    assert scripts
    for name, text in scripts:
        assert not DOWNLOADS.search(text), name
        assert not DUMPS.search(text), name


def test_c08_c09_unmaintained_libraries_stay_behind_one_file() -> None:
    """passlib and arq can be replaced where they stand, because nothing else knows them."""
    users: dict[str, set[str]] = {"passlib": set(), "arq": set()}
    for name, text in tracked():
        if name.endswith(".py") and name.startswith(("api/", "common/", "worker/")):
            for library, files in users.items():
                if re.search(rf"^\s*(?:import|from) {library}\b", text, re.MULTILINE):
                    files.add(name)
    assert users["passlib"] == {"common/passwords.py"}
    assert len(users["arq"]) <= 12, users["arq"]
    lock = (ROOT / "uv.lock").read_text("utf-8")
    assert 'name = "passlib"' not in lock
    assert 'name = "libpass"' in lock

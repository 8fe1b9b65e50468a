"""N23: schemathesis against a running api, as three actors, with stateful links.

Short here; `poe fuzz` sets FUZZ_SECONDS and takes its time.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from tests.api.conftest import ACCESS_TOKEN, JWT_SECRET
from tests.api.test_process import serving
from tests.fixtures.stores import Stores
from tests.security.members import MakeMember, make_member  # noqa: F401  fixture

SECONDS = int(os.environ.get("FUZZ_SECONDS", "3"))
# Answers that do not end by themselves, and what ends the actor's own session; they have tests of their own.
LEFT_OUT = (
    "/api/v1/events",
    "/api/v1/jobs/{job_id}/events",
    "/api/v1/threads/{thread_id}/events",
    "/api/v1/auth/logout",
    "/api/v1/auth/logout-all",
    "/api/v1/auth/sessions/{session_id}",
)
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,ignored_auth,unsupported_method,use_after_free"
)
PRODUCTION = {
    "ENVIRONMENT": "production",
    "JWT_SECRET": JWT_SECRET,
    "ACCESS_TOKEN": ACCESS_TOKEN,
    "DOCS_ACCESS": "public",
    "RATE_LIMIT_PER_USER": "0",
    "RATE_LIMIT_PER_ADDRESS": "0",
    "LOG_FORMAT": "console",
}


async def fuzz(url: str, headers: Mapping[str, str], phases: str, folder: Path) -> str:
    """What schemathesis found as this actor; empty when all is well."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--phases", phases]
    command += ["--checks", CHECKS, "--max-time", str(SECONDS), "--seed", "1", "--no-color", "--warnings", "off"]
    command += ["--continue-on-failure", "--request-timeout", "10", "--suppress-health-check", "all"]
    command += [part for path in LEFT_OUT for part in ("--exclude-path", path)]
    command += [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, cwd=folder)
    async with asyncio.timeout(SECONDS * 5 + 150):
        out, _ = await process.communicate()
    return "" if process.returncode == 0 else out.decode()


@pytest.mark.e2e
@pytest.mark.timeout(200 + 30 * SECONDS)
async def test_nobody_finds_what_the_description_does_not_say(
    stores: Stores,
    tmp_path: Path,
    make_member: MakeMember,  # noqa: F811
) -> None:
    actors = {
        "user": (await make_member()).headers,
        "admin": (await make_member("admin")).headers,
        "service": {"Authorization": f"Bearer {ACCESS_TOKEN}"},
    }
    phases = dict(zip(actors, ("fuzzing", "coverage", "stateful"), strict=True))
    if SECONDS > 10:
        phases = dict.fromkeys(actors, "examples,coverage,fuzzing,stateful")
    async with serving(stores, tmp_path, PRODUCTION) as (process, url):
        assert process.stderr is not None
        reading = asyncio.create_task(process.stderr.read())  # a full pipe would hold its log up
        async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
            # schemathesis waits 10 s for it, and it is not written before somebody asks
            assert (await client.get("/openapi.json", headers=actors["user"])).status_code == 200
        runs = [fuzz(url, headers, phases[name], tmp_path) for name, headers in actors.items()]
        found = dict(zip(actors, await asyncio.gather(*runs), strict=True))
        process.terminate()
        await reading

    assert found == dict.fromkeys(actors, ""), "\n".join(found.values())

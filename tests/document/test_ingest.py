"""What becomes of good files, bad files, and files that mean harm."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from common.config import CommonSettings
from tests.document.conftest import ENGLISH, Library
from tests.document.files import blank_pdf, encrypted_pdf, word, word_bomb
from tests.fixtures.workers import running_worker

HTML = "<html><head><style>p{}</style><script>steal()</script></head><body><p>빨간 사과는 맛있습니다.</p></body></html>"
GOOD = {
    "plain.txt": b"The lighthouse was built in 1873.",
    "old.txt": "부산의 등대는 하얀색입니다.".encode("cp949"),
    "wide.txt": "Der Leuchtturm steht am Meer.".encode("utf-16"),
    "notes.md": b"# Harbour\n\nShips leave at noon.\n\n## Fees\n\nA berth costs nine euros.",
    "page.html": HTML.encode(),
    "letter.docx": word("The captain retires in June."),
    "open.pdf": encrypted_pdf(""),
}
BAD = {
    "secret.pdf": (encrypted_pdf("geheim"), "encrypted"),
    "cut.pdf": (ENGLISH.read_bytes()[:400], "damaged"),
    "scan.pdf": (blank_pdf(), "no text"),
    "bomb.docx": (word_bomb(), "unpacks to"),
    "broken.docx": (b"PK\x03\x04 and then nothing", "damaged"),
    "long.txt": (b"word " * 30_000, "DOCUMENT_MAX_CHARACTERS"),
    "deep.html": (b"<div>" * 5_000, ""),
}


async def test_every_kind_of_file_ends_as_it_should(
    empty: Library, settings: CommonSettings, worker_options: dict[str, Any]
) -> None:
    limits = {"document_max_characters": 100_000, "document_max_unpacked_bytes": 2 * 1024 * 1024}
    async with running_worker(settings, **worker_options, **limits):
        good = {name: await empty.upload(name, content) for name, content in GOOD.items()}
        bad = {name: await empty.upload(name, content) for name, (content, _) in BAD.items()}
        for name, accepted in good.items():
            assert (await empty.ended(accepted["job"]["id"]))["status"] == "succeeded", name
        for name, accepted in bad.items():
            job = await empty.ended(accepted["job"]["id"])
            assert (job["status"], job["error"]["code"], job["failures"]) == ("failed", "permanent", 1), name
            assert BAD[name][1] in job["error"]["message"], name
            document = await empty.document(accepted["document"]["id"])
            assert (document["status"], document["active_version"]) == ("failed", None)
            assert document["error"] == job["error"]
        for query, name in (
            ("When was the lighthouse built?", "plain.txt"),
            ("등대는 무슨 색인가요?", "old.txt"),
            ("Was kostet ein Liegeplatz? How much is a berth?", "notes.md"),
            ("사과", "page.html"),
            ("Which colour?", "letter.docx"),
            ("How many books may I borrow?", "open.pdf"),
        ):
            assert name in (await empty.names(query))[:2], query
        (apple,) = await empty.search("사과", filter={"document_name": "page.html"})
        assert apple["text"] == "빨간 사과는 맛있습니다."


async def test_a_killed_worker_leaves_whole_documents_only(
    empty: Library, settings: CommonSettings, worker_options: dict[str, Any]
) -> None:
    text = "\n\n".join(f"Paragraph {number} tells of ship {number} and its harbour. " * 6 for number in range(1200))
    accepted = await empty.upload("ships.txt", text.encode())
    worker = await start_worker(settings, worker_options)
    try:
        await until_begun(empty, accepted["job"]["id"])
    finally:
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    assert (await empty.document(accepted["document"]["id"]))["active_version"] is None
    async with running_worker(settings, **worker_options):
        job = await empty.ended(accepted["job"]["id"])
        assert job["status"] == "succeeded", job["error"]
        assert job["attempt"] >= 2
        passages = job["result"]["passages"]
        assert 0 < job["result"]["embedded"] < passages
        found = await empty.search("ship", limit=50)
        assert len({each["index"] for each in found}) == 50
        assert (await empty.document(accepted["document"]["id"]))["passages"] == passages


async def start_worker(settings: CommonSettings, options: dict[str, Any]) -> asyncio.subprocess.Process:
    environment = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "CHROMA_URL": options["chroma_url"],
        "DATA_DIR": str(options["data_dir"]),
        "WORKER_QUEUES": "documents",
        "LEASE_DURATION": "3",
        "HEARTBEAT_INTERVAL": "0.5",
        "PATH": os.environ["PATH"],
    }
    root = Path(__file__).parents[2]
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "worker.main", env=environment, cwd=root)


async def until_begun(library: Library, job_id: str) -> None:
    """Until some passages were written."""
    etag = ""
    while True:
        headers = {"Prefer": "wait=10", "If-None-Match": etag or '""'}
        answer = await library.http.get(f"/api/v1/jobs/{job_id}", headers=headers)
        if answer.status_code == 200:
            job, etag = answer.json(), answer.headers["ETag"]
            assert job["status"] in ("queued", "running"), job
            if "passages" in ((job["progress"] or {}).get("message") or ""):
                return

"""Ask the language model and print its answer while it is written: python follow.py "Why is the sky blue?"

Needs httpx2 and python-socketio[asyncio-client]. LETUIN_URL says where the api is, LETUIN_TOKEN who asks.
"""
# ruff: noqa: T201

import asyncio
import os
import sys
from typing import Any

import httpx2
import socketio  # type: ignore[import-untyped]

URL = os.environ.get("LETUIN_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("LETUIN_TOKEN")
SYSTEM = "You are a helpful assistant. Answer in two short, plain sentences."
END = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")


def submit(question: str) -> str:
    """Submit a job and return its id."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    body = {"kind": "llm.chat", "payload": {"messages": messages, "temperature": 0}}
    return str(httpx2.post(f"{URL}/api/v1/jobs", json=body, headers=headers).raise_for_status().json()["id"])


async def follow(job_id: str) -> dict[str, Any]:
    """Print the answer as it comes and return the job's last event."""
    seen: dict[str, Any] = {"after_seq": 0}  # the place in the job's numbered log
    ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    client = socketio.AsyncClient()

    async def subscribe() -> None:
        # At every connection, also after a lost one: go on behind the last event that was seen.
        answer = await client.call("job:subscribe", {"job_id": job_id, **seen})
        if not answer["ok"] and not ended.done():
            ended.set_exception(RuntimeError(answer["error"]["message"]))

    async def receive(event: dict[str, Any]) -> None:
        seen.update(after_seq=event["seq"], epoch=event["epoch"])
        if event["type"] == "llm.delta":
            print(event["data"]["text"], end="", flush=True)
        elif event["type"] == "llm.reset":
            print("\n(another attempt starts the answer again)")
        elif event["type"] in END and not ended.done():
            ended.set_result(event)

    async def restart(reset: dict[str, Any]) -> None:
        # Numbers up to this one are gone; reset["snapshot"] is the job as it is now.
        seen.update(after_seq=reset["seq"], epoch=reset["epoch"])

    client.on("connect", subscribe)
    client.on("job:event", receive)
    client.on("job:reset", restart)
    await client.connect(URL, auth={"token": TOKEN} if TOKEN else None, transports=["websocket"])
    try:
        return await ended
    finally:
        await client.disconnect()


if __name__ == "__main__":
    last = asyncio.run(follow(submit(sys.argv[1])))
    print(f"\n{last['type']} (event {last['seq']})")

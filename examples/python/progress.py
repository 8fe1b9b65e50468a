"""Submit a job, show its progress while it runs, and print its result: python progress.py SECONDS

Needs Letuin's client (`pip install letuin`). LETUIN_URL says where the api is, LETUIN_TOKEN who asks.
"""
# ruff: noqa: T201

import asyncio
import os
import sys

from common.client import AsyncLetuinClient, JobEvent, JobReset
from common.jobs.system_sleep import SystemSleepPayload, system_sleep

URL = os.environ.get("LETUIN_URL", "http://127.0.0.1:8000")


async def main(seconds: float) -> None:
    """Whatever breaks meanwhile (the connection, the api, Redis), no event is missed and none comes twice."""
    async with AsyncLetuinClient(URL, token=os.environ.get("LETUIN_TOKEN")) as client:
        job = await client.submit(system_sleep, SystemSleepPayload(seconds=seconds))
        async for item in job.events():
            match item:
                case JobEvent(type="job.progress"):
                    print(f"{item.data['fraction']:.0%}")
                case JobEvent():
                    print(item.seq, item.type)
                case JobReset():
                    print("earlier events are gone; the job is", item.job.status if item.job else "gone too")
        result = await job.result()  # a SystemSleepResult, because the kind was given and not its name
        print(f"slept {result.seconds} s")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))

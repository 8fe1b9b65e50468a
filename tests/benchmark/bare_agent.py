"""The example flow on bare LangGraph: `python -m tests.benchmark.bare_agent URL COUNT AT_ONCE FILE` prints runs/s."""

import asyncio
import sys
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import SecretStr

from common.agents import AgentLimits
from tests.benchmark.work import now
from worker.agent.budget import Budget
from worker.agent.example.graph_orchestrator import GraphOrchestrator
from worker.agent.flow import FlowContext, Judge

# Without a collection the flow calls none.
_NO_TOOLS: Any = None


async def measure(url: str, count: int, at_once: int, file: str) -> float:
    """Runs a second: the same graph, provider and kind of file, without jobs, fences, events and rows."""
    model = ChatOpenAI(base_url=url, api_key=SecretStr("none"), model="m", streaming=True, max_retries=0)
    flow = GraphOrchestrator()
    places = asyncio.Semaphore(at_once)
    async with AsyncSqliteSaver.from_conn_string(file) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous = NORMAL")
        graph = flow.graph().compile(checkpointer=saver)

        async def run(number: int) -> None:
            context = FlowContext(model, _NO_TOOLS, Budget(AgentLimits()), Judge.SCORE, str(number))
            config: RunnableConfig = {"configurable": {"thread_id": str(number)}}
            values: Any = flow.begin("hello", str(number))
            async with places:
                modes: list[Any] = ["messages", "updates"]
                stream = graph.astream(values, config, context=context, stream_mode=modes, durability="sync")
                async for _ in stream:
                    pass

        await run(-1)
        started = now()
        await asyncio.gather(*(run(number) for number in range(count)))
        return count / (now() - started)


if __name__ == "__main__":
    address, runs, most, path = sys.argv[1:]
    sys.stdout.write(f"{asyncio.run(measure(address, int(runs), int(most), path))}\n")

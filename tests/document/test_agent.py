"""The example flow over real documents: it routes, searches, grades, answers with citations, or asks back."""

import json
from typing import Any

from common.config import CommonSettings
from tests.document.conftest import ENGLISH, KOREAN, Library
from tests.fixtures.provider import Provider, Reply
from tests.fixtures.workers import running_worker


def decide(**values: Any) -> Reply:
    return Reply((json.dumps(values),))


async def test_a_thread_answers_from_documents_with_citations_and_asks_back(
    empty: Library, settings: CommonSettings, worker_options: dict[str, Any], provider: Provider
) -> None:
    options = {**worker_options, "worker_queues": "documents,agent", "openai_base_url": provider.url}
    http = empty.http
    async with running_worker(settings, **options, default_model="m", embedding_model="use-multilingual-v3"):
        for pdf in (ENGLISH, KOREAN):
            await empty.add(pdf.name, pdf.read_bytes())
        thread = (await http.post("/api/v1/threads", json={"collection_id": empty.collection_id})).json()
        messages, resume = (f"/api/v1/threads/{thread['id']}/{part}" for part in ("messages", "resume"))

        async def say(content: str) -> Any:
            return await empty.ended((await http.post(messages, json={"content": content})).json()["id"])

        question = "How many books can I borrow?"
        provider.script(decide(route="retrieve", question=question), decide(relevant=[1]), Reply(("Twelve [1].",)))
        answered = await say(question)
        provider.script(decide(route="clarify", question="it"), Reply(("Which one?",)))
        asked_back = await say("And the other one?")
        provider.script(decide(relevant=[]), Reply(("I do not know.",)))
        replied = (await http.post(resume, json={"answer": "점심 식사는 얼마인가요?"})).json()
        resumed = await empty.ended(replied["id"])
        provider.script(Reply(("no JSON",)), Reply(("nor here",)), Reply(("육천 원 [1, 9]",)))
        korean = await say("점심 식사는 얼마인가요?")
        said = (await http.get(messages)).json()["items"]

    result = answered["result"]
    assert (result["answer"], result["tool_calls"], result["steps"]) == ("Twelve [1].", 1, 4)
    [citation] = result["citations"]
    assert (citation["number"], citation["document_name"], citation["is_named"]) == (1, ENGLISH.name, True)
    assert citation["page"] == 1
    assert "twelve books" in citation["text"]
    assert asked_back["result"]["interrupt"]["question"] == "Which one?"
    assert (resumed["result"]["answer"], resumed["result"]["citations"]) == ("I do not know.", [])
    assert [each["document_name"] for each in korean["result"]["citations"]] == [KOREAN.name]
    assert said[0]["citations"][0]["document_name"] == KOREAN.name
    assert [each["role"] for each in reversed(said)] == ["user", "assistant"] * 4
    schemas = [each.body.get("response_format") for each in provider.seen if each.path.endswith("/chat/completions")]
    assert sum(schema is not None for schema in schemas) == 6


async def test_without_a_judging_model_scores_decide(
    empty: Library, settings: CommonSettings, worker_options: dict[str, Any], provider: Provider
) -> None:
    options = {**worker_options, "worker_queues": "documents,agent", "openai_base_url": provider.url}
    options |= {"default_model": "m", "embedding_model": "use-multilingual-v3", "agent_judge": "score"}
    async with running_worker(settings, **options):
        await empty.add(KOREAN.name, KOREAN.read_bytes())
        found = await empty.submit("agent.run", input="휴가는 며칠인가요?")
        asked = len(provider.seen)
        unanswered = await empty.submit("agent.run", input="양자 컴퓨터는 어떻게 작동하나요?")

    assert (found["result"]["answer"], asked) == ("Hello, world!", 1)
    assert {(each["document_name"], each["is_named"]) for each in found["result"]["citations"]} == {
        (KOREAN.name, False)
    }
    assert "없습니다" in unanswered["result"]["answer"]
    assert len(provider.seen) == asked

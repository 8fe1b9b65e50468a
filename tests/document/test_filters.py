"""Searches can be narrowed, and never widened."""

from typing import Any
from uuid import UUID

import pytest

from common.container import CommonContainer
from common.documents.filters import check_attributes, check_filter
from common.jobs.collection_search import CollectionSearchPayload, collection_search
from common.repository.job import Owner
from tests.api.conftest import MakeUser, make_user  # noqa: F401  a fixture
from tests.document.conftest import Library
from tests.fixtures.workers import Watcher

DEEP: dict[str, Any] = {"a": 1}
for _ in range(5):
    DEEP = {"$and": [DEEP, {"b": 1}]}

HOSTILE: dict[str, Any] = {
    "no object": ["a"],
    "empty": {},
    "unknown operator": {"a": {"$regex": ".*"}},
    "operator as a field": {"$where": "1"},
    "dotted field": {"a.b": 1},
    "no list": {"$or": {"a": 1}},
    "empty list": {"$or": []},
    "too deep": DEEP,
    "too many": {"$and": [{"a": 1}] * 51},
    "mixed values": {"a": {"$in": [1, "1"]}},
    "too many values": {"a": {"$in": list(range(101))}},
    "order of texts": {"a": {"$gt": "b"}},
    "null": {"a": None},
    "object as a value": {"a": {"$eq": {"b": 1}}},
    "infinite": {"a": float("inf")},
    "huge": {"a": 10**30},
    "long": {"a": "x" * 501},
    "half a character": {"a": "\ud800"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_filter_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_filter(HOSTILE[name])


@pytest.mark.parametrize("value", [[], {"page": 1}, {"a b": 1}, {"a": []}, {"$a": 1}, {str(n): n for n in range(21)}])
def test_attributes_are_plain(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_attributes(value)


async def test_filters_narrow_and_never_leave_the_collection(
    library: Library,
    container: CommonContainer,
    owner: Owner,
    watcher: Watcher,
    make_user: MakeUser,  # noqa: F811
) -> None:
    await library.add(
        "old.txt", b"The harbour was small in those days.", attributes='{"year": 1900, "kind": "history"}'
    )
    await library.add("new.txt", b"The harbour is large today.", attributes='{"year": 2020}')
    query = "How large is the harbour?"
    for wanted, names in (
        ({"year": 1900}, ["old.txt"]),
        ({"year": {"$gte": 1950, "$lt": 2021}}, ["new.txt"]),
        ({"$or": [{"kind": "history"}, {"document_name": "new.txt"}]}, ["new.txt", "old.txt"]),
        ({"kind": "history", "year": {"$in": [1900, 2020]}}, ["old.txt"]),
        # Our own words are only attributes that no document has.
        ({"version": {"$ne": "x"}, "tenant_id": "x"}, []),
        ({"a_year": 1900}, []),
    ):
        assert sorted(await library.names(query, filter=wanted)) == sorted(names), wanted
    for name in ("unknown operator", "too deep", "empty"):
        answer = await library.http.post(f"{library.path}/search", json={"query": query, "filter": HOSTILE[name]})
        assert answer.status_code == 422, name
        assert answer.json()["errors"][0]["path"][:2] == ["body", "filter"]

    # Whoever knows the id of a collection gets nothing by naming it in a job.
    peer = await (await make_user()).sign_in(library.http)
    for kind, field in (("collection.search", "query"), ("rag.answer", "question")):
        body = {"kind": kind, "payload": {"collection_id": library.collection_id, field: query}}
        refused = await library.http.post("/api/v1/jobs", json=body, headers=peer)
        assert refused.status_code == 422
        assert f"collection {library.collection_id} does not exist" in refused.json()["detail"]
    # A worker looks again.
    payload = CollectionSearchPayload(collection_id=UUID(library.collection_id), query=query)
    row = await watcher.ended(await container.queue().submit(collection_search, payload, owner=owner))
    assert row.error is not None
    assert (row.error["code"], row.error["message"]) == (
        "permanent",
        f"collection {library.collection_id} does not exist",
    )

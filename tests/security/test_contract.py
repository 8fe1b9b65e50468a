"""What the interface takes and answers: bodies (N01 to N06), queries (N07, N20), methods (T05), errors (T08)."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.api.conftest import ECHO, Connect

JOBS = "/api/v1/jobs"
JSON = {"Content-Type": "application/json"}


def submit(**changes: Any) -> bytes:
    return json.dumps({**ECHO, **changes}).encode()


def with_message(raw: str) -> bytes:
    """A submit whose message is this piece of JSON, as it stands."""
    return b'{"kind": "system.echo", "payload": {"message": ' + raw.encode("utf-8", "surrogatepass") + b"}}"


def with_metadata(raw: str) -> bytes:
    return b'{"kind": "system.echo", "payload": {"message": "x"}, "metadata": {"x": ' + raw.encode() + b"}}"


# What is sent, and a piece of the sentence that says what is wrong with it.
REFUSED: dict[str, tuple[bytes, str]] = {
    "N01 unknown field": (submit(color="red"), "body.color: Extra inputs are not permitted"),
    "N01 unknown field of the payload": (
        submit(payload={"message": "x", "color": "red"}),
        "body.payload.color: Extra inputs are not permitted",
    ),
    "N01 number as text": (submit(priority="1"), "body.priority: Input should be a valid integer"),
    "N01 fraction for a whole number": (submit(priority=1.5), "body.priority: "),
    "N01 true for a number": (submit(priority=True), "body.priority: "),
    "N01 number for text": (with_message("7"), "body.payload.message: Input should be a valid string"),
    "N01 list for an object": (b"[]", "body: "),
    "N01 text for an object": (b'"hello"', "body: "),
    "N01 null": (b"null", "body: "),
    "N02 NaN": (with_metadata("NaN"), "NaN is not a number of JSON"),
    "N02 infinity": (with_metadata("-Infinity"), "-Infinity is not a number of JSON"),
    "N02 too large": (with_metadata("1e999"), "the number 1e999 is too large"),
    "N02 5,000 digits": (with_metadata("9" * 5000), "a number has 5000 digits"),
    "N02 30 digits where a small number belongs": (submit(priority=10**30), "body.priority: "),
    "N03 key twice": (b'{"kind": "system.echo", "kind": "llm.chat"}', "the key 'kind' stands twice"),
    "N03 key twice, escaped": (with_metadata('{"a": 1, "\\u0061": 2}'), "the key 'a' stands twice"),
    "N04 nested 65 times": (with_metadata("[" * 63 + "]" * 63), "MAX_JSON_DEPTH allows 64 levels"),
    "N04 nested 100,000 times": (b"[" * 100_000, "MAX_JSON_DEPTH"),
    "N04 nested 100,000 times, closed": (b"[" * 100_000 + b"]" * 100_000, "MAX_JSON_DEPTH"),
    "N04 objects nested 50,000 times": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "MAX_JSON_DEPTH"),
    "N04 100,000 keys": (json.dumps({f"key-{n}": n for n in range(50_000)}).encode(), "body"),
    "N05 not UTF-8": (b'{"kind": "\xff"}', "the text is not UTF-8"),
    "N05 overlong": (b'{"kind": "\xc0\xaf"}', "the text is not UTF-8"),
    "N05 surrogates as UTF-8": (with_message('"\ud83d"'), "the text is not UTF-8"),
    "N05 UTF-16": (submit().decode().encode("utf-16"), "the text is not UTF-8"),
    "N05 UTF-16 without mark": (submit().decode().encode("utf-16-le"), "not valid JSON"),
    "N05 byte order mark": (b"\xef\xbb\xbf" + submit(), "not valid JSON"),
    "N05 half a surrogate pair": (with_message('"\\ud83d"'), "body.payload.message: "),
    "N05 half a pair in a key": (with_metadata('{"\\udc00": 1}'), "body.metadata: "),
    "N05 NUL": (with_message('"a\\u0000b"'), "U+0000"),
    "N05 NUL in a key": (with_metadata('{"\\u0000": 1}'), "U+0000"),
    "N05 NUL as it is": (with_message('"a\0b"'), "not valid JSON"),
    "not JSON": (b"{", "not valid JSON"),
    "two values": (b"{} {}", "not valid JSON: Extra data"),
    "no body": (b"", "body: Field required"),
}


async def test_bodies_that_no_two_parsers_read_alike_are_refused(client: httpx2.AsyncClient) -> None:
    """N01 to N05"""
    for name, (body, words) in REFUSED.items():
        answer = await client.post(JOBS, content=body, headers=JSON)
        assert answer.status_code == 422, (name, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json", name
        assert words in answer.json()["detail"], (name, answer.json()["detail"])
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"], name


ACCEPTED: dict[str, bytes] = {
    "minus zero": with_metadata("-0"),
    "4,000 digits": with_metadata("9" * 4000),
    "nested to the limit": with_metadata("[" * 62 + "]" * 62),
    "a whole pair": with_message('"\\ud83d\\ude00"'),
    "an escaped backslash before u0000": with_message('"\\\\u0000"'),
    "many brackets in text": with_message('"' + "[" * 500 + '"'),
    "Korean": with_message('"안녕하세요"'),
    "Korean, escaped": with_message('"\\uc548"'),
    "the same key in different objects": with_metadata('[{"a": 1}, {"a": 2}]'),
}


async def test_unusual_bodies_that_mean_one_thing_are_taken(client: httpx2.AsyncClient) -> None:
    """N02 to N05, the other side: nothing is refused that JSON allows and that can be kept."""
    for name, body in ACCEPTED.items():
        answer = await client.post(JOBS, content=body, headers=JSON)
        assert answer.status_code == 202, (name, answer.text)


TYPES: dict[str, tuple[str | None, int]] = {
    "JSON": ("application/json", 202),
    "in capitals": ("Application/JSON", 202),
    "with its charset": ('application/json; charset="UTF-8"', 202),
    "a kind of JSON": ("application/vnd.letuin+json", 202),
    "missing": (None, 415),
    "empty": ("", 415),
    "text": ("text/plain", 415),
    "text that says JSON": ("text/json", 415),
    "another charset": ("application/json; charset=utf-16", 415),
    "form": ("application/x-www-form-urlencoded", 415),
    "multipart": ("multipart/form-data; boundary=x", 415),
    "multipart without a boundary": ("multipart/form-data", 415),
    "nonsense": ("json", 415),
    "two types": ("text/plain, application/json", 415),
}


async def test_json_has_to_say_that_it_is_json(client: httpx2.AsyncClient) -> None:
    """N06"""
    for name, (content_type, status) in TYPES.items():
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = await client.post(JOBS, content=submit(), headers=headers)
        assert answer.status_code == status, (name, answer.text)
        if status == 415:
            assert answer.json()["code"] == "unsupported_media_type", name
            assert "send application/json" in answer.json()["detail"], name


async def test_a_body_that_no_route_reads_gets_the_routes_own_answer(client: httpx2.AsyncClient) -> None:
    """N06: what is not there is 404, and what reads no body does not mind one."""
    text = {"Content-Type": "text/plain"}
    missing = await client.post("/api/v1/nothing", content=b"x", headers=text)
    job = (await client.post(JOBS, json={**ECHO, "delay": 60})).json()
    cancelled = await client.post(f"{JOBS}/{job['id']}/cancel", content=b"x", headers=text)

    assert (missing.status_code, cancelled.status_code) == (404, 200)


QUERIES: dict[str, str] = {
    "N07 SQL in an id": "batch=1'%20OR%20'1'='1",
    "N07 another status": "status=running'--",
    "N07 operator": "status[$ne]=failed&status=nothing",
    "N20 nothing": "limit=0",
    "N20 negative": "limit=-1",
    "N20 too many": "limit=1000000000",
    "N20 text": "limit=ten",
    "N20 huge": f"limit={'9' * 30}",
    "N20 fraction": "limit=1.5",
    "Z03 cursor of nobody": "cursor=AAAA",
    "Z03 long cursor": f"cursor={'a' * 200}",
    "Z03 cursor that is no text": "cursor=%FF%00",
    "NUL": "kind=%00",
    "half a pair": "kind=%ED%A0%80%00",
}


async def test_queries_are_checked(client: httpx2.AsyncClient) -> None:
    """N07, N20"""
    for name, query in QUERIES.items():
        answer = await client.get(f"{JOBS}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), (name, answer.text)
        assert answer.json()["errors"][0]["path"][0] == "query", name


async def test_text_of_a_query_is_only_text(client: httpx2.AsyncClient) -> None:
    """N07: what looks like a language of a database finds what has that name, which is nothing."""
    await client.post(JOBS, json={**ECHO, "tags": ["a"]})
    for text in ("' OR 1=1 --", "a'; DROP TABLE jobs; --", '{"$ne": null}', "$where", ".*", "%", "_", "a%"):
        for name in ("tag", "kind", "queue"):
            answer = await client.get(JOBS, params={name: text})
            assert (answer.status_code, answer.json()["items"]) == (200, []), (name, text)
    assert len((await client.get(JOBS)).json()["items"]) == 1


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "GETT"])
async def test_other_methods_are_405(client: httpx2.AsyncClient, method: str) -> None:
    """T05"""
    answer = await client.request(method, JOBS)

    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/problem+json")
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.headers["Allow"] == "GET, POST"


async def test_a_cursor_serves_its_list_alone(client: httpx2.AsyncClient) -> None:
    """Z03: signed, and bound to the filter that it was given for."""
    for _ in range(3):
        await client.post(JOBS, json={**ECHO, "tags": ["a"]})
    first = await client.get(JOBS, params={"limit": 1, "tag": "a"})
    cursor = first.json()["next_cursor"]
    following = first.links["next"]["url"]

    assert (await client.get(following)).status_code == 200
    assert (await client.get(JOBS, params={"tag": "a", "limit": 2, "cursor": cursor})).status_code == 200
    assert (await client.get(JOBS, params={"cursor": cursor})).status_code == 422
    assert (await client.get(JOBS, params={"tag": "b", "cursor": cursor})).status_code == 422
    for changed in (cursor[:-1], cursor + "A", cursor.swapcase(), cursor[::-1], cursor + "="):
        assert (await client.get(JOBS, params={"tag": "a", "cursor": changed})).status_code == 422, changed


KEYS: dict[str, tuple[str, int]] = {
    "empty": ("", 400),
    "blank": ("  ", 400),
    "10 KB": ("k" * 10_000, 400),
    "256 characters": ("k" * 256, 400),
    "255 characters": ("k" * 255, 202),
    "not ASCII": ("schlüssel", 400),
    "a space inside": ("a b", 400),
    "a quote that does not end": ('"abc', 400),
    "quoted": ('"8e03978e"', 202),
}


async def test_idempotency_keys_are_short_and_visible(client: httpx2.AsyncClient) -> None:
    """N21"""
    for name, (key, status) in KEYS.items():
        answer = await client.post(JOBS, json=ECHO, headers={b"Idempotency-Key": key.encode()})
        assert answer.status_code == status, (name, answer.text)


PREFERENCES: dict[str, tuple[str, str | None]] = {
    "nothing known": ("handling=lenient", None),
    "asynchronous": ("respond-async", "respond-async"),
    "wait": ("wait=0", None),
    "both": ("respond-async, wait=1", "respond-async, wait=1"),
    "both, the other way round": ("wait=1; x=y, respond-async", "respond-async, wait=1"),
    "nonsense": ("wait=soon", None),
}


async def test_preferences_that_were_followed_are_named(client: httpx2.AsyncClient) -> None:
    """RFC 7240: Preference-Applied says which; what is not known is ignored."""
    for name, (given, applied) in PREFERENCES.items():
        answer = await client.post(JOBS, json={**ECHO, "delay": 60}, headers={"Prefer": given})
        assert answer.status_code == 202, name
        assert answer.headers.get("Preference-Applied") == applied, name


@pytest.mark.parametrize(
    "path", ["/api/v1/jobs//", "//api/v1/jobs", "/api/v1/JOBS", "/api/v1/jobs%2F..%2Fjobs", "/api/v1/../v1/jobs/x"]
)
async def test_other_spellings_of_a_path_are_other_paths(connect: Connect, path: str) -> None:
    """Z22, N09: nothing is cleaned up on the way, so no gate can be walked around."""
    production: Callable[..., Any] = connect
    async with production(environment="staging") as client:
        answer = await client.send(client.build_request("GET", httpx2.URL(f"http://127.0.0.1{path}")))
    assert answer.status_code in (401, 404)
    assert answer.headers["Content-Type"] == "application/problem+json"

"""What a provider's failure means for the job: worth another attempt or not, told without secrets or prompts."""

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2
import openai

from common.errors import JobError, PermanentError, PromptTooLongError
from common.redaction import MASK, redact
from worker.llm.errors import OverloadedError, UpstreamError

_LONGEST_WAIT = timedelta(days=1)
_LONGEST_DETAIL = 200
_SHORTEST_PRIVATE = 8
_QUOTED = 16
_WORTH_REPEATING = frozenset({408, 409, 425, 429})
_KEY_REFUSED = frozenset({401, 403})
_NO_MONEY = "insufficient_quota"
# What OpenAI and llama.cpp call a conversation that does not fit.
_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
# What others say of it, in words only.
_TOO_LONG_WORDS = (
    "context_length_exceeded",
    "contextwindowexceedederror",
    "exceed the configured limit",
    "exceeds the context window",
    "prompt is too long",
)


def translate(error: Exception, *, model: str, private: Sequence[str]) -> JobError:
    """The job error for whatever came out of a call to `model`.

    `private` are texts that must not appear in the message: the key and the conversation.
    """
    if isinstance(error, TimeoutError | openai.APITimeoutError | httpx2.TimeoutException):
        return UpstreamError(f"{model} did not answer in time")
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return UpstreamError(f"the connection to {model} failed or broke off")
    if _is_too_long(error):
        return PromptTooLongError(f"the conversation is longer than {model} can read")
    if isinstance(error, openai.APIError):
        return _refusal(error, model, private)
    return UpstreamError(f"{model} sent an answer that cannot be read ({type(error).__name__})")


def _is_too_long(error: Exception) -> bool:
    if not isinstance(error, openai.APIError):
        return False
    said = error.message.lower()
    return bool({error.code, error.type} & _TOO_LONG) or any(words in said for words in _TOO_LONG_WORDS)


def _refusal(error: openai.APIError, model: str, private: Sequence[str]) -> JobError:
    status = _status_of(error)
    if status is None:
        return UpstreamError(f"{model} broke off with an error{_detail(error, private)}")
    if status in _WORTH_REPEATING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
        kind = OverloadedError if status == HTTPStatus.TOO_MANY_REQUESTS else UpstreamError
        # Waiting mends an empty account only when somebody hears of it.
        why = " (insufficient_quota)" if error.code == _NO_MONEY else ""
        return kind(f"{model} answered {status}{why}", retry_after=parse_retry_after(headers))
    if status in _KEY_REFUSED:
        return PermanentError(f"{model} answered {status}: check OPENAI_API_KEY or the model's own key")
    return PermanentError(f"{model} refused the request ({status}){_detail(error, private)}")


def _status_of(error: openai.APIError) -> int | None:
    """The HTTP status, also when it only came inside of a stream."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code
    code = error.body.get("code") if isinstance(error.body, Mapping) else None
    return code if isinstance(code, int) and code in HTTPStatus.__members__.values() else None


def _detail(error: openai.APIError, private: Sequence[str]) -> str:
    """The provider's own words, if it gave any, masked and cut."""
    body = error.body.get("message") if isinstance(error.body, Mapping) else error.body
    if not isinstance(body, str):
        return ""
    for text in private:
        if len(text) >= _SHORTEST_PRIVATE:
            body = body.replace(text, MASK)
    words = _without_echo(" ".join(redact(body).split())[:_LONGEST_DETAIL], private)
    return f": {words}" if words else ""


def _without_echo(said: str, private: Sequence[str]) -> str:
    """`said` with what it quotes from `private` masked, as providers quote the beginning of a text that they refuse."""
    kept = list(said)
    for start in range(0, len(said) - _QUOTED + 1, _QUOTED // 2):
        run = said[start : start + _QUOTED]
        if any(run in text for text in private):
            kept[start : start + _QUOTED] = ["\0"] * _QUOTED
    return re.sub("\0+", MASK, "".join(kept))


def parse_retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """When to come back, from `Retry-After` in seconds or as an HTTP date; None when it says nothing readable.

    `retry-after-ms`, which OpenAI and Azure send as well, is more exact.
    """
    with suppress(ValueError):
        return _bounded(float(headers.get("retry-after-ms", "")) / 1000)
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return _bounded(seconds)


def _bounded(seconds: float) -> timedelta | None:
    if math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST_WAIT.total_seconds()))


def _seconds_until(http_date: str) -> float:
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return math.nan
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()

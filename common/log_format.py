"""How one log record is cleaned of secrets and becomes a line, for people or for a collector."""

import json
import re
import traceback
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from common.redaction import redact, redact_fields

if TYPE_CHECKING:
    from loguru import Record

_CONSOLE = (
    "<green>{time:YYYY-MM-DD HH:mm:ss.SSS}</green> | <level>{level: <8}</level> | "
    "<cyan>{name}</cyan>:<cyan>{function}</cyan>:<cyan>{line}</cyan> - <level>{text}</level>{trace_lines}\n"
)
# What could forge a line, drive a terminal or break a line-based collector.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("(?![\n\t])" + _CONTROL.pattern)


def clean(record: "Record") -> None:
    """Runs once a record, before any sink: masks secrets and leaves plain values that every sink can write."""
    extra = record["extra"]
    name = extra.pop("logger", None)
    if isinstance(name, str):
        record["name"] = name
    record["message"] = redact(record["message"])
    record["extra"] = redact_fields(extra)
    caught, record["exception"] = record["exception"], None
    if caught and caught.value is not None:
        trace = "".join(traceback.format_exception(caught.type, caught.value, caught.traceback))
        _fields(record)["trace"] = redact(trace.rstrip())


def render_console(record: "Record") -> str:
    """`time | LEVEL | module:function:line - message: key=value`, and the traceback on the lines after it."""
    fields = _fields(record)
    pairs = " ".join(f"{key}={_compact(value)}" for key, value in record["extra"].items())
    text = f"{record['message']}: {pairs}" if pairs else record["message"]
    trace = fields.get("trace")
    fields["text"] = _CONTROL.sub(_visible, text)
    fields["trace_lines"] = "\n" + _CONTROL_BUT_LINES.sub(_visible, trace) if trace else ""
    return _CONSOLE


def render_json(record: "Record") -> str:
    """One JSON object on one line; `exception` is there only when there is one."""
    fields = _fields(record)
    if "json" not in fields:
        moment = record["time"].astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        line = {
            "timestamp": f"{moment}Z",
            "level": record["level"].name,
            "logger": record["name"],
            "function": record["function"],
            "line": record["line"],
            "message": record["message"],
            "extra": record["extra"],
        }
        if trace := fields.get("trace"):
            line["exception"] = trace
        fields["json"] = _CONTROL.sub(_json_escape, json.dumps(line, ensure_ascii=False))
    return "{json}\n"


def _fields(record: "Record") -> dict[str, Any]:
    """loguru types a record as closed; what is added here is what its templates then name."""
    return cast("dict[str, Any]", record)


def _compact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _visible(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"

"""Takes secrets out of everything that is about to be logged."""

import math
import re
from collections.abc import Mapping

MASK = "***"
_MAX_DEPTH = 8

_NAME = r"password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?|jwt"
_HEADER = r"authorization|(?:set-)?cookie"
_VALUE = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[^\s,;&"'<>()\[\]{}]+"""

_SECRET_KEY = re.compile(rf"[\w.-]*(?:{_NAME}|{_HEADER})", re.IGNORECASE)
# One cheap look first: most lines hold none of these and skip the rules below.
_SUSPICIOUS = re.compile(rf"://|eyJ|ltn_|ltr_|sk-|gh[opsur]_|xox|AKIA|AIza|bearer|{_NAME}|{_HEADER}", re.IGNORECASE)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([a-z][\w+.-]*://[^\s:/@\"'<>]*):[^\s/\"'<>]*@", re.IGNORECASE), rf"\1:{MASK}@"),
    (re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"), MASK),
    (
        re.compile(
            r"\b(?:ltn_[0-9A-Za-z]{10}_\w+|ltr_[\w-]{16,}|sk-[\w-]{8,}|gh[opsur]_\w{16,}|xox[a-z]-[\w-]{8,}|AKIA[A-Z0-9]{12,}|AIza[\w-]{20,})"
        ),
        MASK,
    ),
    (
        re.compile(rf"""(?<![\w-])([\w-]*(?:{_HEADER})\b["']?\s*[:=]\s*["']?)[^"'\r\n]+""", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(bearer\s+)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(rf"""(?<![\w-])([\w-]*(?:{_NAME})\b["']?\s*[:=]\s*)(?:{_VALUE})""", re.IGNORECASE),
        rf"\1{MASK}",
    ),
)


def redact(text: str) -> str:
    """`text` with passwords in URLs, tokens, keys and `secret=value` pairs replaced by `***`."""
    if not _SUSPICIOUS.search(text):
        return text
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def redact_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """`fields` as plain JSON values, the values of secret names masked and every text redacted."""
    return {str(key): _plain(key, value, 0) for key, value in fields.items()}


def _plain(key: object, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value  # whether there is a secret is none
    if isinstance(key, str) and _SECRET_KEY.fullmatch(key):
        return MASK
    # Subclasses (enums, numpy-like numbers) become what they print as.
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    if depth < _MAX_DEPTH:
        if isinstance(value, Mapping):
            return {redact(_text(inner)): _plain(inner, item, depth + 1) for inner, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(None, item, depth + 1) for item in value]
    return redact(_text(value))


def _text(value: object) -> str:
    """`str(value)`, also of an object whose own `__str__` is broken."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be printed>"

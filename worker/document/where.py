"""From the filter language to Chroma's: our own names on the inside, nothing of the user's among them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from common.documents.filters import check_filter
from common.errors import PermanentError

VERSION, DOCUMENT, HASH = "version", "document", "hash"
_BUILT_IN = {
    "document_id": DOCUMENT,
    "document_name": "name",
    "content_type": "type",
    "page": "page",
    "index": "index",
}
_ATTRIBUTE = "a_"
_SHOWN = ("page",)


def passage_metadata(
    *,
    version_id: UUID,
    document_id: UUID,
    document_name: str,
    content_type: str,
    index: int,
    page: int | None,
    digest: str,
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """What Chroma keeps beside a passage."""
    kept: dict[str, Any] = {
        VERSION: str(version_id),
        DOCUMENT: str(document_id),
        HASH: digest,
        "name": document_name,
        "type": content_type,
        "index": index,
    }
    if page is not None:
        kept["page"] = page
    return kept | {f"{_ATTRIBUTE}{name}": value for name, value in attributes.items()}


def shown_metadata(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What a search may show of it: the page, and the attributes of the document."""
    shown = {name: kept[name] for name in _SHOWN if name in kept}
    return shown | {name.removeprefix(_ATTRIBUTE): kept[name] for name in kept if name.startswith(_ATTRIBUTE)}


def search_where(wanted: Mapping[str, Any] | None, hidden: Collection[UUID]) -> dict[str, Any] | None:
    """Chroma's filter for what `wanted` asks, without `hidden` versions. Raises `PermanentError` for no filter."""
    conditions: list[dict[str, Any]] = []
    if wanted is not None:
        try:
            conditions += _translate(check_filter(wanted))
        except ValueError as error:
            raise PermanentError(f"the filter cannot be used: {error}") from error
    if hidden:
        conditions.append({VERSION: {"$nin": sorted(str(each) for each in hidden)}})
    return _join("$and", conditions) if conditions else None


def _translate(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Conditions that all have to hold."""
    conditions: list[dict[str, Any]] = []
    for name, value in wanted.items():
        if name in ("$and", "$or"):
            conditions.append(_join(name, [_join("$and", _translate(each)) for each in value]))
            continue
        field = _BUILT_IN.get(name, f"{_ATTRIBUTE}{name}")
        compared = value if isinstance(value, Mapping) else {"$eq": value}
        conditions += [{field: {operator: operand}} for operator, operand in compared.items()]
    return conditions


def _join(operator: str, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    """Chroma joins no fewer than two."""
    return conditions[0] if len(conditions) == 1 else {operator: conditions}

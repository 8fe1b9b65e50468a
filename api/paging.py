"""What all paged lists share: a part of the list, and the way to the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request, Response

CursorQuery = Annotated[str | None, Query(max_length=128, description="`next_cursor` of the page before.")]


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some of a list, and the cursor of those after them."""

    items: Sequence[T]
    next_cursor: str | None


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Name the next page in the Link header, when there is one."""
    if cursor:
        following = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'

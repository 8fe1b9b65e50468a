"""How many of a list a request wants at a time."""

from typing import Annotated

from fastapi import Depends, Query

from api.dependencies import SettingsDep
from common.errors import InvalidError


async def get_page_limit(settings: SettingsDep, limit: Annotated[int | None, Query(ge=1)] = None) -> int:
    """How many at a time: PAGE_LIMIT, or what the caller names up to MAX_PAGE_LIMIT."""
    if limit is not None and limit > settings.max_page_limit:
        raise InvalidError(f"MAX_PAGE_LIMIT allows {settings.max_page_limit} a page", path=("query", "limit"))
    return limit or settings.page_limit


PageLimitDep = Annotated[int, Depends(get_page_limit)]

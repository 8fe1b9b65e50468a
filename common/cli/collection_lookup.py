"""People know collections by name, the api by id."""

from typing import Any

from common.cli.api_client import ApiClient
from common.cli.exits import CommandError


async def find_collection(client: ApiClient, name: str) -> dict[str, Any]:
    """The collection of this name or id. Raises `CommandError` when there is none."""
    page = await client.get("/collections", params={"name": name})
    if page["items"]:
        return dict(page["items"][0])
    try:
        return await client.get("/collections", name)
    except CommandError as error:
        raise CommandError(f"There is no collection {name!r} for you; see `letuin collections list`.") from error

"""What the event routes read from a request: the client's place, what it can take, and who it is."""

import re
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from api.dependencies import AuthenticatorDep, CallerDep, from_state
from api.event_streams import EventStreams, Place, Visitor
from api.thread_places import ThreadPlaces
from common.errors import HeaderError

_PLACE = re.compile(r"([0-9A-Za-z_-]{1,64}):(\d{1,16})")

EventStreamsDep = Annotated[EventStreams, from_state("event_streams")]


async def get_place(
    after_seq: Annotated[int | None, Query(ge=0, le=2**53, description="The last number that you saw.")] = None,
    epoch: Annotated[str | None, Query(max_length=64, description="The epoch that came with it.")] = None,
    last_event_id: Annotated[
        str | None, Header(description="`epoch:seq`, the id of the last event that you got; wins over the query.")
    ] = None,
) -> Place:
    """Where the client was. Raises `HeaderError` for an id that is not one of ours."""
    if not last_event_id:
        return Place(after_seq or 0, epoch, was_given=after_seq is not None)
    found = _PLACE.fullmatch(last_event_id.strip())
    if found is None:
        raise HeaderError("Last-Event-ID must be an id that this stream gave, like `3f2a91bc:17`")
    return Place(int(found[2]), found[1], was_given=True)


async def get_thread_places(
    last_event_id: Annotated[str | None, Header(description="The last id that this stream gave.")] = None,
) -> ThreadPlaces | None:
    """Where the client was in a thread. Raises `HeaderError` for an id that is not one of this stream."""
    if not last_event_id:
        return None
    try:
        return ThreadPlaces.parse(last_event_id)
    except ValueError as error:
        raise HeaderError("Last-Event-ID must be an id that this stream gave, like `3!3.3f2a91bc.17`") from error


async def get_visitor(request: Request, caller: CallerDep, authenticator: AuthenticatorDep) -> Visitor:
    """Who opens a stream."""
    authorization, host = request.headers.get("authorization"), request.headers.get("host")
    address = request.client.host if request.client else ""
    return Visitor(caller, address, partial(authenticator.identify, authorization, host=host, fresh=True))


async def wants_page(accept: Annotated[str | None, Header(include_in_schema=False)] = None) -> bool:
    """Whether JSON was asked for; a stream is what everybody else gets."""
    accepted = (accept or "").lower()
    return "application/json" in accepted and "text/event-stream" not in accepted


ThreadPlacesDep = Annotated[ThreadPlaces | None, Depends(get_thread_places)]
PlaceDep = Annotated[Place, Depends(get_place)]
VisitorDep = Annotated[Visitor, Depends(get_visitor)]
WantsPageDep = Annotated[bool, Depends(wants_page)]

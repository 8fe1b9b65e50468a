"""The body of a submit: one model for each public kind, told apart by `kind`."""

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from api.v1.job.request_schema import SubmitRequest
from common.queue.catalog import Catalog
from common.queue.definition import AnyJobKind


@cache
def build_request_union(catalog: Catalog) -> Any:
    """The type of the body: unknown kinds, unknown fields and wrong payloads are refused by it.

    Made once, for its models take tenths of a second.
    """
    models = [_build_request(kind) for kind in catalog.public()]
    return Annotated[reduce(or_, models), Field(discriminator="kind")] if len(models) > 1 else models[0]


def _build_request(kind: AnyJobKind) -> Any:
    """`llm.chat` becomes `LlmChatJob`, documented by the handler's docstring."""
    name: Any = Literal[kind.name]
    words = kind.name.replace(".", "_").split("_")
    return create_model(
        "".join(word.capitalize() for word in words) + "Job",
        __base__=SubmitRequest,
        __doc__=kind.description,
        kind=(name, Field(examples=[kind.name])),
        payload=(kind.payload, ...),
    )

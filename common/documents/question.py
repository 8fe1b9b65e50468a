"""What every question to a collection has, and the passages that answer it."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from common.documents.filters import check_filter
from common.ports import Passage

MAX_PASSAGES = 50

QueryText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
PassageFilter = Annotated[
    dict[str, Any],
    AfterValidator(check_filter),
    Field(
        description="By `document_id`, `document_name`, `content_type`, `page`, `index` and the attributes that "
        "documents were uploaded with: `{field: value}`, `{field: {operator: value}}`, `$and`, `$or`.",
        examples=[{"document_name": "handbook.pdf"}, {"year": {"$gte": 2020}}],
    ),
]


class PassageRead(BaseModel):
    """A piece of a document that was found. `score` is from 0 (unlike) to 1 (alike)."""

    document_id: UUID
    document_name: str
    index: int = Field(description="Its place among the passages of its document, from 0.")
    page: int | None = Field(None, description="For documents that have pages, from 1.")
    score: float
    text: str
    attributes: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, passage: Passage) -> Self:
        """The passage as results show it."""
        metadata = dict(passage.metadata)
        return cls(
            document_id=passage.document_id,
            document_name=passage.document_name,
            index=passage.index,
            page=metadata.pop("page", None),
            score=passage.score,
            text=passage.text,
            attributes=metadata,
        )

"""What a place that makes vectors is to the rest: texts in, vectors and usage out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from common.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector for each text, in order, and the tokens that they cost together; None when nobody counts."""

    vectors: Sequence[Sequence[float]]
    tokens: int | None = None


class RefusedTextError(PermanentError):
    """The provider refused what it was given to read: other texts may pass."""


class EmbeddingBackend(Protocol):
    """One model at one place."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of one request.

        Raises `RefusedTextError` for texts that are refused, `TransientError`, or `PermanentError`.
        """
        ...

    async def aclose(self) -> None:
        """Release what the model holds."""
        ...

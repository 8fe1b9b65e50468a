"""Which chat models there are under the current settings, and where each is called."""

from dataclasses import dataclass

from pydantic import SecretStr

from common.errors import PermanentError
from worker.config import WorkerSettings

OPENAI_URL = "https://api.openai.com/v1"
# GPT-5 reasons and takes no temperature but its own.
_OPENAI_MODELS = {"gpt-5": False, "gpt-4o": True, "gpt-4o-mini": True}
_DEFAULT_OPENAI_MODEL = "gpt-4o-mini"
_NO_KEY = SecretStr("not-needed")
_NOT_CONFIGURED = (
    "no language model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL with DEFAULT_MODEL, or LOCAL_MODEL_URL"
)


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """One model: its name at the provider, the provider's address, and what sets it apart."""

    name: str
    base_url: str
    api_key: SecretStr
    is_openai: bool = False
    takes_temperature: bool = True


class ModelRegistry:
    """The models by name: OpenAI's three, whatever OPENAI_BASE_URL serves, and the local one."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._key = settings.openai_api_key
        self._base_url = settings.openai_base_url
        self._local_url = settings.local_model_url
        self._local_name = settings.local_model_name
        self._default = settings.default_model

    @property
    def names(self) -> list[str]:
        """The names known in advance; OPENAI_BASE_URL may serve more."""
        openai = list(_OPENAI_MODELS) if self._key else []
        return openai + ([self._local_name] if self._local_url else [])

    def get_route(self, name: str | None) -> ModelRoute:
        """Where `name` is called; None means the default model. Case does not matter for the names known here.

        Raises `PermanentError` that says which names are known, or what to set when there is none.
        """
        wanted = name or self._default_name()
        folded = wanted.lower()
        if self._local_url and folded == self._local_name.lower():
            return ModelRoute(self._local_name, self._local_url, _NO_KEY)
        if self._key and folded in _OPENAI_MODELS:
            url = self._base_url or OPENAI_URL
            return ModelRoute(folded, url, self._key, is_openai=True, takes_temperature=_OPENAI_MODELS[folded])
        if self._base_url:
            return ModelRoute(wanted, self._base_url, self._key or _NO_KEY)
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

"""What is known of a model: where it is called, what it costs, and what it can take."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from common.config import Duration
from common.ports import Usage

_MILLION = Decimal(1_000_000)
_PARTS = frozenset({"prices", "limits"})

Price = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=6)]
Seconds = Annotated[Duration, Field(gt=timedelta(0))]
Count = Annotated[int, Field(ge=1)]


class Prices(BaseModel):
    """US dollars for a million tokens. Cached input costs what input does where nothing else is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Price = Decimal(0)
    output: Price = Decimal(0)
    cached_input: Price | None = None

    def cost(self, usage: Usage) -> Decimal:
        """What a call with this usage costs."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        total = (usage.input_tokens - cached) * self.input + cached * cached_price + usage.output_tokens * self.output
        return total / _MILLION


class ModelLimits(BaseModel):
    """What all workers together may ask of a model; None is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrency: Count | None = None


class ModelCard(BaseModel):
    """One model. What LLM_MODELS leaves out, the built-in card of the same name says, if there is one.

    `api_key` is a reference, `env:NAME` or `file:PATH`, never the key itself. `upstream_name` is the model's name at
    its provider. `context_window`: tokens that it reads and writes together; None is not known, and not looked at.
    `max_output` bounds an answer whose request names no limit: it is what budgets keep back.
    `is_openai`: the provider wants `max_completion_tokens`, as OpenAI does, and not `max_tokens`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    upstream_name: str | None = Field(None, min_length=1, max_length=200)
    base_url: str | None = Field(None, pattern=r"^https?://")
    api_key: str | None = Field(None, pattern=r"^(env|file):.+$")
    is_openai: bool = False
    takes_temperature: bool = True
    context_window: Count | None = None
    max_output: Count = 16_384
    prices: Prices = Prices()
    limits: ModelLimits = ModelLimits()
    first_piece_timeout: Seconds | None = None
    idle_timeout: Seconds | None = None


def _openai(
    name: str,
    input_price: str,
    output_price: str,
    cached_price: str,
    *,
    window: int,
    max_output: int,
    takes_temperature: bool = True,
) -> ModelCard:
    return ModelCard(
        name=name,
        is_openai=True,
        takes_temperature=takes_temperature,
        context_window=window,
        max_output=max_output,
        prices=Prices(input=Decimal(input_price), output=Decimal(output_price), cached_input=Decimal(cached_price)),
    )


def _embedding(name: str, price: str) -> ModelCard:
    return ModelCard(name=name, is_openai=True, context_window=8192, prices=Prices(input=Decimal(price)))


# OpenAI's list prices; GPT-5 reasons and takes no temperature but its own.
OPENAI_CHAT = (
    _openai("gpt-5", "1.25", "10", "0.125", window=400_000, max_output=128_000, takes_temperature=False),
    _openai("gpt-4o", "2.50", "10", "1.25", window=128_000, max_output=16_384),
    _openai("gpt-4o-mini", "0.15", "0.60", "0.075", window=128_000, max_output=16_384),
)
# The model that `letuin up` starts.
LOCAL = ModelCard(name="smollm2-135m-instruct", context_window=2048, max_output=2048)
OPENAI_EMBEDDING = (
    _embedding("text-embedding-3-large", "0.13"),
    _embedding("text-embedding-3-small", "0.02"),
    _embedding("text-embedding-ada-002", "0.10"),
)


class CardBox:
    """The cards of all models that somebody knows of, chat and embedding, by name; case does not matter."""

    def __init__(self, chosen: tuple[ModelCard, ...]) -> None:
        built_in = {card.name: card for card in (*OPENAI_CHAT, *OPENAI_EMBEDDING, LOCAL)}
        self._cards = dict(built_in)
        for card in chosen:
            base = built_in.get(card.name.lower())
            said = card.model_dump(exclude_unset=True, exclude={"name", *_PARTS})
            parts: dict[str, Any] = {part: getattr(card, part) for part in _PARTS & card.model_fields_set}
            self._cards[card.name.lower()] = base.model_copy(update={**said, **parts}) if base else card
        self.chosen = tuple(self._cards[card.name.lower()] for card in chosen)

    def find(self, name: str) -> ModelCard | None:
        """The card of this name."""
        return self._cards.get(name.lower())

    def get(self, name: str) -> ModelCard:
        """The card of this name; a model that nobody described costs nothing and has no limits."""
        return self.find(name) or ModelCard(name=name)

    def check_embeddings(self) -> None:
        """Raises `ValueError` for a card of an embedding model that says what only chats look at."""
        for card in self.chosen:
            said = card.model_fields_set & {"base_url", "api_key", "upstream_name"}
            if said and card.name.lower() in {each.name for each in OPENAI_EMBEDDING}:
                raise ValueError(
                    f"LLM_MODELS, {card.name}: {', '.join(sorted(said))} is for chats; embeddings go to OPENAI_BASE_URL"
                )

    def check_fallbacks(self, fallbacks: Mapping[str, Sequence[str]], also: Collection[str] | None) -> None:
        """Raises `ValueError` for stand-ins that make no sense. `also` are other models; None: there may be any."""
        if twice := _repeated(fallbacks):
            raise ValueError(f"LLM_FALLBACKS names {twice} twice")
        for name, others in fallbacks.items():
            if twice := _repeated([name, *others]):
                raise ValueError(f"LLM_FALLBACKS, {name}: {twice} is named twice")
            unknown = [each for each in (name, *others) if self.find(each) is None and each not in (also or ())]
            if unknown and also is not None:
                raise ValueError(f"LLM_FALLBACKS, {name}: nobody knows {unknown[0]!r}; LLM_MODELS can describe it")


def _repeated(names: Iterable[str]) -> str | None:
    """The first name that is there twice, in whatever case."""
    counts = Counter(name.lower() for name in names)
    return next((name for name, count in counts.items() if count > 1), None)

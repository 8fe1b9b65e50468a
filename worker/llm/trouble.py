"""What the models of a chain could not do, and what the attempt makes of it when none of them answered."""

from loguru import logger

from common.errors import JobError, PermanentError, Snooze, TransientError
from common.ports import CallOrigin
from worker.llm.desk import CallDesk
from worker.llm.errors import OverloadedError


class Trouble:
    """The failures of one call, by its models in their order."""

    def __init__(self, desk: CallDesk) -> None:
        self._desk = desk
        self._waits: list[Snooze] = []
        self._refusal: OverloadedError | None = None
        self._failure: TransientError | None = None

    @property
    def has_failed(self) -> bool:
        """Whether a provider was asked in vain."""
        return (self._failure or self._refusal) is not None

    def note(self, model: str, error: JobError, *, stands_in: bool) -> None:
        """Take a failure down; the next model may be asked.

        Raises a refusal for good, unless it is that of a model that only `stands_in`: it says nothing about the one
        that was asked for, which may answer the next attempt.
        """
        if isinstance(error, Snooze):
            self._waits.append(error)
            return
        if isinstance(error, OverloadedError):
            self._refusal = error
            self._waits.append(self._desk.put_off(error))
        elif isinstance(error, TransientError):
            self._failure = error
        elif not stands_in:
            raise error
        level = "WARNING" if isinstance(error, PermanentError) else "INFO"
        logger.log(level, "A model did not answer: model={} error={}", model, error)

    async def verdict(self, origin: CallOrigin) -> JobError:
        """What to raise: a failure if there was one, else the shortest wait."""
        if self._failure is not None:
            return self._failure
        return await self._desk.judge_wait(origin, min(self._waits, key=lambda wait: wait.delay), self._refusal)

"""What must hold after every fault, judged from what the database wrote down and from the events.

Not "it ended in the end": every job's whole way is checked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any
from uuid import UUID

from common.events import Event, EventType, is_terminal
from common.queue.status import TERMINAL, AttemptOutcome, JobStatus, is_allowed


class Promise(StrEnum):
    """What a violation breaks."""

    LOST = "lost"
    ENDS = "ended more than once"
    MOVES = "moved where it must not"
    FENCE = "stale write accepted"
    CANCEL = "ran on after its cancel"
    BUDGETS = "charged wrongly"
    NUMBERS = "hole in its events"
    ORDER = "events out of order"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that a job did and must not."""

    job_id: UUID
    promise: Promise
    text: str

    def __str__(self) -> str:
        return f"job {self.job_id}: {self.text}"


type Finding = tuple[Promise, str]


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a row, as the database kept it; `before` is None for the insert."""

    before: JobStatus | None
    after: JobStatus
    attempt_before: int | None
    attempt: int
    lease_before: UUID | None
    failures: int
    crashes: int
    is_cancelling: bool

    @property
    def is_claim(self) -> bool:
        return (self.before, self.after) == (JobStatus.QUEUED, JobStatus.RUNNING)

    @property
    def ends_attempt(self) -> bool:
        return self.before is JobStatus.RUNNING and self.after is not JobStatus.RUNNING


@dataclass(frozen=True, slots=True)
class Ending:
    """A row of the attempts table."""

    attempt: int
    worker_id: UUID
    outcome: AttemptOutcome


@dataclass(frozen=True, slots=True)
class Story:
    """One job from its insert to now; `result_attempt` is the attempt that a `fault.mark` result names."""

    job_id: UUID
    status: JobStatus
    max_attempts: int
    result_attempt: int | None
    moves: Sequence[Move]
    endings: Sequence[Ending]
    events: Sequence[Event]

    @property
    def claims(self) -> int:
        """How often it was started."""
        return sum(move.is_claim for move in self.moves)

    @property
    def failures(self) -> int:
        return self.moves[-1].failures

    @property
    def crashes(self) -> int:
        return self.moves[-1].crashes


def read_move(row: Any) -> Move:
    """A row of `job_history`."""
    before = row["before"]
    return Move(
        None if before is None else JobStatus(before),
        JobStatus(row["after"]),
        row["attempt_before"],
        row["attempt"],
        row["lease_before"],
        row["failures"],
        row["crashes"],
        row["is_cancelling"],
    )


def violations(story: Story, *, max_crashes: int, whole_events: bool) -> list[Violation]:
    """What this job did that it must not; empty when all is well.

    `whole_events` is False when the fault emptied Redis or cut its file: numbers must then still be without holes.
    """
    found = [Violation(story.job_id, *finding) for finding in _of_events(story, whole=whole_events)]
    if not story.status.is_terminal:
        found.append(Violation(story.job_id, Promise.LOST, f"it did not end; it is {story.status}"))
    return found + wrong_moves(story, max_crashes=max_crashes)


def wrong_moves(story: Story, *, max_crashes: int) -> list[Violation]:
    """What is wrong with its rows alone, also while it is still on its way."""
    found = [*_of_status(story), *_of_attempts(story), *_of_cancel(story), *_of_budgets(story, max_crashes)]
    return [Violation(story.job_id, *finding) for finding in found]


def _of_status(story: Story) -> Iterator[Finding]:
    """Only legal moves, and one end that stays (I1, I3)."""
    ends = 0
    for move in story.moves:
        if move.before is None:
            continue
        if not is_allowed(move.before, move.after):
            yield Promise.MOVES, f"{move.before} became {move.after}"
        if move.before.is_terminal and move.after is move.before:
            yield Promise.ENDS, "its end was changed"
        ends += move.after.is_terminal and move.after is not move.before
        ends -= move.before.is_terminal and move.after is JobStatus.QUEUED
    if story.status.is_terminal and ends != 1:
        yield Promise.ENDS, f"it ended {ends} times"


def _of_attempts(story: Story) -> Iterator[Finding]:
    """Attempts count up by one per claim, and each end was written by who held the lease (I4, I6)."""
    claimed = [move.attempt for move in story.moves if move.is_claim]
    if claimed != list(range(1, len(claimed) + 1)):
        yield Promise.FENCE, f"its claims had the numbers {claimed}"
    ends = {move.attempt: move.lease_before for move in story.moves if move.ends_attempt}
    kept = {ending.attempt: ending.worker_id for ending in story.endings}
    if ends != kept:
        yield Promise.FENCE, f"the ends of its attempts are {ends}, the attempts table has {kept}"
    if any(move.ends_attempt and move.attempt != move.attempt_before for move in story.moves):
        yield Promise.FENCE, "an end changed the attempt number"
    if story.result_attempt is not None and story.result_attempt != story.moves[-1].attempt:
        yield Promise.FENCE, f"its result is of attempt {story.result_attempt}, its last was {story.moves[-1].attempt}"


def _of_cancel(story: Story) -> Iterator[Finding]:
    """Once a cancel is written, the job neither succeeds nor starts again (I5)."""
    is_cancelling = False
    for move in story.moves:
        if is_cancelling and (move.is_claim or move.after is JobStatus.SUCCEEDED):
            yield Promise.CANCEL, f"it became {move.after} after its cancel"
        is_cancelling = move.is_cancelling


def _of_budgets(story: Story, max_crashes: int) -> Iterator[Finding]:
    """Budgets hold, and only failures and crashes use them (I6, I7)."""
    if story.failures > story.max_attempts or story.crashes > max_crashes:
        yield Promise.BUDGETS, f"it has {story.failures} failures and {story.crashes} crashes"
    retried = [move.attempt for move in story.moves if move.before in TERMINAL and move.after is JobStatus.QUEUED]
    outcomes = Counter(ending.outcome for ending in story.endings if ending.attempt > max(retried, default=0))
    failures = outcomes[AttemptOutcome.RETRIED] + outcomes[AttemptOutcome.FAILED]
    if failures != story.failures:
        yield Promise.BUDGETS, f"{failures} attempts failed, it was charged with {story.failures}"
    if outcomes[AttemptOutcome.CRASHED] != story.crashes:
        yield (
            Promise.BUDGETS,
            f"{outcomes[AttemptOutcome.CRASHED]} attempts crashed, it was charged with {story.crashes}",
        )


def _of_events(story: Story, *, whole: bool) -> Iterator[Finding]:
    """Numbers 1 to n without a hole, one end, and it is the last (I9)."""
    numbers = [event.seq for event in story.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Promise.NUMBERS, f"its events have the numbers {numbers}"
    ends = [
        event.seq
        for event, after in zip_longest(story.events, story.events[1:])
        if is_terminal(event.type) and (after is None or after.type != EventType.QUEUED)  # else its owner retried it
    ]
    if ends and ends != numbers[-1:]:
        yield Promise.ORDER, f"its events end at {ends} of {len(numbers)}"
    if ends and story.events[-1].type != f"job.{story.status}":
        yield Promise.ORDER, f"its last event is {story.events[-1].type}, the row is {story.status}"
    if whole and story.status.is_terminal and not ends:
        yield Promise.NUMBERS, f"it has no last event: {[event.type for event in story.events]}"
    starts = Counter(event.attempt for event in story.events if event.type == EventType.STARTED)
    if repeated := [attempt for attempt, count in starts.items() if count > 1]:
        yield Promise.ORDER, f"its events start the attempts {repeated} more than once"

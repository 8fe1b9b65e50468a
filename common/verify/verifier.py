"""Runs the checks: two looks, so that nothing counts that was only half done, then mending and a third look."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from common.verify.check import Check, Problem, Stores


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check: what was wrong, and what of it still is. `error` says why it could not look."""

    check: Check
    problems: Sequence[Problem] = ()
    left: Sequence[Problem] = ()
    error: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it looked, and nothing is wrong (any more)."""
        return self.error is None and not self.left


async def verify(checks: Sequence[Check], stores: Stores, *, mends: bool, settle: float) -> list[Finding]:
    """A finding for each check. `settle` is for how long, seconds, a problem must last to be one."""
    wanted = [check for check in checks if check.is_for(stores)]
    first = [await _look(check, stores) for check in wanted]
    if any(finding.problems for finding in first):
        await asyncio.sleep(settle)
    return [await _look_again(finding, stores, mends=mends) for finding in first]


async def _look(check: Check, stores: Stores) -> Finding:
    try:
        problems = await check.find(stores)
    except Exception as error:  # whatever a store raises, the other checks go on
        return Finding(check, error=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    return Finding(check, problems, problems)


async def _look_again(first: Finding, stores: Stores, *, mends: bool) -> Finding:
    check = first.check
    if not first.problems:
        return first
    second = await _look(check, stores)
    lasting = _also_in(first.problems, second.problems)
    if second.error is not None or not lasting:
        return Finding(check, error=second.error)
    if not mends:
        return Finding(check, lasting, lasting)
    try:
        await check.mend(stores, lasting)
    except Exception as error:
        return Finding(check, lasting, lasting, error=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    return Finding(check, lasting, _also_in(lasting, (await _look(check, stores)).problems))


def _also_in(problems: Sequence[Problem], later: Sequence[Problem]) -> list[Problem]:
    keys = {problem.key for problem in later}
    return [problem for problem in problems if problem.key in keys]

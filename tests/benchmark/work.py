"""What the jobs of every engine do, and how their worker tells that it began."""

import os
from functools import cache
from pathlib import Path
from time import monotonic

MARKS = "LETUIN_BENCH_MARKS"


def now() -> float:
    """Seconds on the clock that all processes of this machine share."""
    return monotonic()


@cache
def mark_start() -> None:
    """Leave a file that says when this process began its first job. Further calls cost nothing."""
    draft = Path(os.environ[MARKS]) / f"{os.getpid()}.new"
    draft.write_text(str(now()))
    draft.rename(draft.with_suffix(".mark"))


def read_marks(folder: Path) -> list[float]:
    """When each worker process so far began its first job, earliest first."""
    return sorted(float(path.read_text()) for path in folder.glob("*.mark"))

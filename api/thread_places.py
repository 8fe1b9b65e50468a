"""Where a listener is in a thread: its place in the log of each job that is not over for it."""

import re
from collections.abc import Mapping
from typing import Self

_MOST = 200
_TEXT = re.compile(r"(\d{1,9})!((?:\d{1,9}\.[0-9A-Za-z_-]{0,64}\.\d{1,16},?)*)")


class ThreadPlaces:
    """`base` is the newest turn that was heard of; turns up to it that are not in `seen` are over."""

    def __init__(self, base: int = 0, seen: Mapping[int, tuple[str | None, int]] | None = None) -> None:
        self.seen: dict[int, tuple[str | None, int]] = dict(seen or {})
        self.base = max([base, *self.seen])

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `str` gave. Raises `ValueError`."""
        found = _TEXT.fullmatch(text.strip())
        if found is None or found[2].count(",") >= _MOST:
            raise ValueError("not a place in a thread")
        parts = [part.split(".") for part in found[2].split(",") if part]
        return cls(int(found[1]), {int(turn): (epoch or None, int(seq)) for turn, epoch, seq in parts})

    def __str__(self) -> str:
        return f"{self.base}!" + ",".join(
            f"{turn}.{epoch or ''}.{seq}" for turn, (epoch, seq) in sorted(self.seen.items())
        )

    def move(self, turn: int, epoch: str | None, seq: int, *, is_over: bool = False) -> None:
        """The listener has everything of the turn up to here."""
        self.base = max(self.base, turn)
        if is_over:
            self.seen.pop(turn, None)
        else:
            self.seen[turn] = (epoch, seq)

"""Calls of tools out of the parts in which providers send them, each in its own way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.ids import new_id
from common.ports import ToolCall
from worker.llm.storable import storable


@dataclass(slots=True)
class _CallSoFar:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCallReader:
    """Gathers the calls of one answer.

    OpenAI numbers them by `index` and names the id once. Others leave `index` out, number all of them 0, repeat id and
    name with every part, or send the arguments as an object.
    """

    def __init__(self) -> None:
        self._calls: list[_CallSoFar] = []

    def add(self, part: Mapping[str, Any]) -> int:
        """Take the next part in; how many bytes of arguments it brought."""
        function = part.get("function") or {}
        call = self._find(part.get("index"), part.get("id") or "", is_named=bool(function.get("name")))
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        if call.name != name:
            call.name += name
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        call.arguments += text
        return len(text.encode("utf-8", "replace"))

    def calls(self, *, is_cut: bool) -> tuple[ToolCall, ...]:
        """The calls, in order; of an answer that was cut off those whose arguments are whole.

        Raises `ValueError` for one without a name. One that came without an id gets ours.
        """
        return tuple(
            ToolCall(
                id=storable(call.id) or f"call_{new_id().hex}",
                name=storable(call.name),
                arguments=storable(call.arguments),
            )
            for call in self._calls
            if not is_cut or _is_json(call.arguments)
        )

    def _find(self, index: int | None, call_id: str, *, is_named: bool) -> _CallSoFar:
        """The call that a part goes on with, or a new one."""
        for call in reversed(self._calls):
            if call_id and call.id == call_id:
                return call
            if call_id and call.id:
                continue
            if call.index == index if index is not None else not is_named:
                call.id = call.id or call_id
                return call
        self._calls.append(_CallSoFar(index, call_id))
        return self._calls[-1]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

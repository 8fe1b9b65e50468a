"""Payloads of schedules: texts may name the firing, as in `Report for {{ slot_date }}`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
NAMES = ("slot", "slot_date", "slot_time", "last_slot", "fired_at", "timezone", "schedule_id", "schedule_name")


@dataclass(frozen=True, slots=True)
class FiringFacts:
    """What a payload may name: the instant it stands for, the one before, and where it is."""

    slot: datetime
    fired_at: datetime
    last_slot: datetime | None
    timezone: str
    schedule_id: UUID
    schedule_name: str

    def values(self) -> Mapping[str, str | None]:
        """The values by name; times are ISO 8601 in the schedule's zone."""
        zone = ZoneInfo(self.timezone)
        local = self.slot.astimezone(zone)
        return {
            "slot": local.isoformat(),
            "slot_date": local.date().isoformat(),
            "slot_time": local.strftime("%H:%M"),
            "last_slot": None if self.last_slot is None else self.last_slot.astimezone(zone).isoformat(),
            "fired_at": self.fired_at.astimezone(UTC).isoformat(),
            "timezone": self.timezone,
            "schedule_id": str(self.schedule_id),
            "schedule_name": self.schedule_name,
        }


def render(template: Any, facts: FiringFacts) -> Any:
    """`template` with every `{{ name }}` in its texts replaced; a text that is nothing else may become null.

    Raises `ValueError` for a name that is not known.
    """
    match template:
        case dict():
            return {key: render(item, facts) for key, item in template.items()}
        case list():
            return [render(item, facts) for item in template]
        case str() if "{{" in template:
            return _render_text(template, facts.values())
    return template


def _render_text(text: str, values: Mapping[str, str | None]) -> str | None:
    whole = _PLACE.fullmatch(text)
    if whole is not None:
        return _value(whole[1], values)
    return _PLACE.sub(lambda found: _value(found[1], values) or "", text)


def _value(name: str, values: Mapping[str, str | None]) -> str | None:
    if name not in values:
        raise ValueError(f"{{{{ {name[:40]} }}}} is not known; known are {', '.join(NAMES)}")
    return values[name]

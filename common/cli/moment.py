"""Moments on the command line."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.cli.exits import CommandError


def parse_moment(name: str, text: str, zone: str) -> str:
    """`2030-01-31`, `2030-01-31T09:00` or `2030-01-31T09:00:00+09:00` as ISO 8601; without an offset in `zone`.

    Raises CommandError that calls the option `name`.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CommandError(
            f"{name} must be a moment like 2030-01-31, 2030-01-31T09:00 or 2030-01-31T09:00+09:00; {text!r} is none."
        ) from None
    if moment.tzinfo is None:
        try:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise CommandError(f"{zone!r} is no IANA time zone; one is Asia/Seoul.") from None
    return moment.isoformat()


def show_moment(text: str | None, zone: str | None = None) -> str:
    """An ISO 8601 moment as people read it, in `zone`, else on this machine's clock; empty for none."""
    if text is None:
        return ""
    local = datetime.fromisoformat(text).astimezone(None if zone is None else ZoneInfo(zone))
    return local.strftime("%Y-%m-%d %H:%M:%S%:z")

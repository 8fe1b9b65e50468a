"""What a client is told when its Socket.IO request was not done."""

from typing import Any

from loguru import logger
from pydantic import ValidationError

from api.exception_handlers import fields_of, is_database_away
from api.realtime_schema import refusal
from common.errors import AppError


def refusal_of(error: Exception) -> dict[str, Any]:
    """The acknowledgement for an error; what nobody foresaw is logged, and not shown."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        return refusal("invalid", f"{path}: {first['msg']}" if path else first["msg"])
    if isinstance(error, AppError):
        answer = refusal(error.code, error.message)
        if fields := fields_of(error):
            answer["error"]["errors"] = [field.model_dump(mode="json") for field in fields]
        return answer
    if is_database_away(error):
        return refusal("unavailable", "the database does not answer; try again soon")
    logger.opt(exception=error).error("Unforeseen error in a Socket.IO request")
    return refusal("internal_error", "something went wrong on our side")

"""The writer of the request log: entries of answered requests, to MongoDB."""

from typing import TYPE_CHECKING

from api.config import ApiSettings
from common.log_writer import LogLimits, LogWriter
from common.request_log import RequestEntry

if TYPE_CHECKING:
    from common.repository.log import RequestLogRepository


class RequestLogWriter(LogWriter[RequestEntry]):
    """Writes within the REQUEST_LOG_* settings."""

    def __init__(self, settings: ApiSettings, logs: "RequestLogRepository") -> None:
        limits = LogLimits(
            settings.request_log_max_queued,
            settings.request_log_batch_size,
            settings.request_log_flush_interval,
            settings.request_log_stop_timeout,
        )
        super().__init__("request log", logs, limits)


def create_writer(settings: ApiSettings, logs: "RequestLogRepository | None") -> RequestLogWriter | None:
    """The writer of a log; None when there is no log."""
    return None if logs is None else RequestLogWriter(settings, logs)

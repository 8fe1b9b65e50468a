"""Writes the OpenAPI document: `python -m api.export_openapi FILE`, or `poe openapi`."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from api.config import ApiSettings
from api.container import ApiContainer
from api.main import create_interface


def describe() -> str:
    """The document of this source, as indented JSON; no setting changes it."""
    with TemporaryDirectory() as folder:
        settings = ApiSettings.model_validate({"environment": "test", "data_dir": Path(folder)})
        interface = create_interface(settings, ApiContainer(settings=settings))
        return json.dumps(interface.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(describe(), "utf-8")

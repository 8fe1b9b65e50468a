"""Writes the OpenAPI document: `python -m api.export_openapi FILE`, or `poe openapi`."""

import json
import sys
from pathlib import Path

from api.interface import Interface
from common.queue.catalog import Catalog


def describe() -> str:
    """The document of this source, as indented JSON; no setting changes it."""
    return json.dumps(Interface.of(Catalog.load()).document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(describe(), "utf-8")

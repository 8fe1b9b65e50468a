"""The real worker process with the benchmark's job kinds: `python -m tests.benchmark.letuin_worker --concurrency N`."""

from common.injection import providers
from common.queue.catalog import Catalog
from tests.benchmark import kinds
from worker import main as worker
from worker.container import WorkerContainer


def main() -> None:
    """What `python -m worker.main` does, but for the catalogue."""
    WorkerContainer.catalog.override(providers.Object(Catalog.load(kinds)))
    worker.main()


if __name__ == "__main__":
    main()

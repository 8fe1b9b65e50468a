"""The real worker process with the kinds that call models: `python -m tests.benchmark.letuin_model_worker`."""

from common.injection import providers
from common.queue.catalog import Catalog
from tests.benchmark import model_kinds
from worker import main as worker
from worker.container import WorkerContainer


def main() -> None:
    """What `python -m worker.main` does, but for the catalogue."""
    WorkerContainer.catalog.override(providers.Object(Catalog.load(model_kinds)))
    worker.main()


if __name__ == "__main__":
    main()

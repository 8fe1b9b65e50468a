"""The worker as users start it, with the tests' flow beside the others."""

from pathlib import Path

from worker import agent
from worker.main import main

FLOWS = str(Path(__file__).with_name("flows"))

if __name__ == "__main__":
    agent.__path__.append(FLOWS)
    main()

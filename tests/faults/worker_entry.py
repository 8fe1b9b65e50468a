"""The worker as users start it, with the misbehaving kinds added to its catalogue."""

from pathlib import Path

from common import jobs
from worker.main import main

if __name__ == "__main__":
    jobs.__path__.append(str(Path(__file__).with_name("kinds")))
    main()

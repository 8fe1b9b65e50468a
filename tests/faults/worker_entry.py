"""The worker as users start it, with the misbehaving kinds in its catalogue and, if asked, an unsure database.

As an older release it does not know these kinds.
"""

import os
from pathlib import Path

from common import jobs
from tests.faults.unsure import Unsure
from worker.main import main

if __name__ == "__main__":
    if not os.environ.get("OLDER_RELEASE"):
        jobs.__path__.append(str(Path(__file__).with_name("kinds")))
    if share := os.environ.get("UNSURE_SHARE"):
        Unsure(float(share), seed=os.getpid()).install()
    main()

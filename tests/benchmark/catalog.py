"""Which engines and cases there are. An engine whose library is missing is left out, and named."""

import importlib
from importlib.metadata import PackageNotFoundError, version

from tests.benchmark.cases.agent import AgentRate
from tests.benchmark.cases.base import Case
from tests.benchmark.cases.crash import Crash, SupervisedCrash
from tests.benchmark.cases.crowd import Crowd, Memory
from tests.benchmark.cases.documents import Documents
from tests.benchmark.cases.drain import Drain
from tests.benchmark.cases.growth import Growth
from tests.benchmark.cases.http import Http, Http32, Http64
from tests.benchmark.cases.idle import Idle
from tests.benchmark.cases.latency import Latency
from tests.benchmark.cases.logins import Logins
from tests.benchmark.cases.mail import MailRate
from tests.benchmark.cases.models import Chats, Vectors
from tests.benchmark.cases.push import PUSH_CASES
from tests.benchmark.cases.refill import Refill
from tests.benchmark.cases.schedules import Schedules
from tests.benchmark.cases.submit import SubmitMany, SubmitOne
from tests.benchmark.cases.waiting import Waiting
from tests.benchmark.peers.base import Peer

CASES: tuple[type[Case], ...] = (
    *(SubmitOne, SubmitMany, Http, Http32, Http64, Drain, Latency, Waiting, Idle, Crash, Growth, Logins),
    *(MailRate, Schedules, AgentRate, Documents, Chats, Vectors),
    *PUSH_CASES,
    *(SupervisedCrash, Refill, Memory, Crowd),
)
ENGINES = {
    "letuin": ("letuin", "Letuin"),
    "letuin-default": ("letuin", "LetuinDefault"),
    "arq": ("arq", "Arq"),
    "arq-tuned": ("arq", "TunedArq"),
    "saq": ("saq", "Saq"),
    "taskiq-list": ("taskiq", "TaskiqList"),
    "taskiq-stream": ("taskiq", "TaskiqStream"),
    "dramatiq": ("dramatiq", "Dramatiq"),
    "dramatiq-2p": ("dramatiq", "DramatiqTwo"),
    "huey": ("huey", "Huey"),
}
_PACKAGES = ("letuin", "arq", "redis", "hiredis", "uvloop", "saq", "taskiq", "taskiq-redis", "dramatiq", "huey")


def load_engine(name: str) -> type[Peer]:
    """The engine of this name. Raises `ImportError` when its library is not installed."""
    module, attribute = ENGINES[name]
    engine: type[Peer] = getattr(importlib.import_module(f"tests.benchmark.peers.{module}"), attribute)
    return engine


def installed_versions() -> dict[str, str]:
    """The versions of all libraries that are compared."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found

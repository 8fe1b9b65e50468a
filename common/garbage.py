"""Garbage collection of processes that serve for long: what they are made of is looked at once."""

import gc

_OBJECTS_PER_COLLECTION = 50_000


def calm_garbage_collection() -> None:
    """What start-up made lives as long as the process: no collection looks at it again, and none comes each moment."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION, 20, 20)

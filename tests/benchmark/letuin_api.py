"""The real api process with one more endpoint, which does nothing: `python -m tests.benchmark.letuin_api`."""

from pydantic import BaseModel

from api import health, main
from api.dependencies import CallerDep


class Nothing(BaseModel):
    """No fields."""


async def do_nothing(caller: CallerDep) -> Nothing:
    """An authenticated POST behind the same middleware as every other."""
    return Nothing()


if __name__ == "__main__":
    # Among the routes that are found first, so that it is no slower than it must be.
    health.router.post("/api/v1/nothing")(do_nothing)
    main.main()

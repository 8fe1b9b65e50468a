"""What `letuin doctor` asks running processes: whether they are ready, and what they have lost."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from common.cli.checks import Check, Finding, Verdict, ask
from common.cli.urls import place_of

_LOST = {
    "letuin_request_log_entries": "requests of the request log",
    "letuin_llm_call_log_entries": "records of calls of models",
}
_READY = "it is ready"


async def check_readiness(url: str) -> Finding:
    """The api takes requests, and its tables are those of its release."""
    answer = await ask(f"{url}/ready")
    body = answer.json()
    migration = body.get("migration")
    if migration in ("older", "missing"):
        detail = f"the database's tables are {migration} for the release that runs"
        return Finding(Verdict.FAIL, detail, "run `letuin migrate` of that release")
    if answer.status_code != httpx2.codes.OK:
        sick = sorted(name for name, state in body["services"].items() if state != "healthy")
        return Finding(Verdict.FAIL, f"it takes no requests: {', '.join(sick)}", "see the lines above")
    if migration == "newer":
        detail = "it is ready, but the database is of a newer release"
        return Finding(Verdict.WARN, detail, "go on with the deploy: replace the processes")
    return Finding(Verdict.OK, _READY)


async def check_worker(url: str) -> Finding:
    """A worker on this machine may claim, hears Redis, and its loop turns."""
    answer = await ask(f"{url}/ready")
    body = answer.json()
    about = f"worker at {place_of(url)} for {', '.join(body['queues'])}"
    if answer.status_code == httpx2.codes.OK:
        return Finding(Verdict.OK, f"{about}: {_READY}")
    sick = sorted(name for name, state in body["services"].items() if state != "healthy")
    mend = "look at its log; start it again if its loop stays blocked"
    return Finding(Verdict.FAIL, f"{about} is not ready: {', '.join(sick)}", mend)


def losses_check(token: str | None) -> Check:
    """The check of what an api process could not write to MongoDB since its start."""

    async def check_losses(url: str) -> Finding:
        answer = await ask(f"{url}/metrics", {"Authorization": f"Bearer {token}"} if token else None)
        if answer.status_code != httpx2.codes.OK:
            return Finding(Verdict.OK, "not asked: /metrics is for operators; set LETUIN_TOKEN, or `letuin login`")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        lost = {
            what: sum(sample.value for sample in families[name].samples if sample.labels.get("outcome") == "dropped")
            for name, what in _LOST.items()
            if name in families
        }
        if not lost:
            return Finding(Verdict.OK, "no request log is kept")
        if any(lost.values()):
            detail = "; ".join(f"{count:.0f} {what} were lost" for what, count in lost.items() if count)
            return Finding(Verdict.WARN, detail, "see MONGODB_URL; raise REQUEST_LOG_MAX_QUEUED for longer outages")
        return Finding(Verdict.OK, "nothing was lost since the api started")

    return check_losses

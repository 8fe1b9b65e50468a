"""`letuin doctor`: is everything there, and what to do where it is not."""

import asyncio
from collections.abc import Mapping

import typer
from rich.console import Console

from common.cli.checks import (
    Check,
    Finding,
    Verdict,
    check_api,
    check_mongo,
    check_postgres,
    check_redis,
    check_smtp,
    chroma_check,
    model_check,
    run_check,
)
from common.cli.exits import ExitCode
from common.cli.options import JsonOption, UrlOption
from common.cli.output import answer_console, print_json
from common.cli.process_checks import check_readiness, check_worker, losses_check
from common.cli.setting_checks import check_settings
from common.cli.storage_check import check_storage
from common.cli.surroundings import read_surroundings
from common.cli.target import Target, find_target
from common.config import CommonSettings

app = typer.Typer(add_completion=False)
_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
_NEEDED: Mapping[str, Check] = {"DATABASE_URL": check_postgres, "REDIS_URL": check_redis}
_OPTIONAL = ("MONGODB_URL", "CHROMA_URL", "SMTP_URL")
_OPENAI = "https://api.openai.com/v1"


@app.command()
def doctor(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Check every server and setting, and say how to mend them.

    Exit code 1 when something that is needed fails.
    """
    environ = read_surroundings()
    findings = dict(check_settings(environ))
    findings |= asyncio.run(_check_servers(environ, find_target(url)))
    if as_json:
        print_json(
            [{"check": name, "verdict": f.verdict, "detail": f.detail, "mend": f.mend} for name, f in findings.items()]
        )
    else:
        _print(answer_console(), findings)
    is_failed = any(finding.verdict is Verdict.FAIL for finding in findings.values())
    raise typer.Exit(ExitCode.FAILED if is_failed else ExitCode.OK)


async def _check_servers(environ: Mapping[str, str], api: Target) -> dict[str, Finding]:
    """All at once; the findings in the order of this list."""
    pending: dict[str, tuple[Check, str]] = {}
    for variable, check in _NEEDED.items():
        default = CommonSettings.model_fields[variable.lower()].default.get_secret_value()
        pending[variable] = (check, environ.get(variable) or default)
    checks = zip(_OPTIONAL, (check_mongo, chroma_check(environ.get("CHROMA_TOKEN")), check_smtp), strict=True)
    pending |= {variable: (check, environ[variable]) for variable, check in checks if environ.get(variable)}
    if model := _model_endpoint(environ):
        pending["model"] = model
    if port := environ.get("WORKER_HTTP_PORT"):
        host = environ.get("WORKER_HTTP_HOST") or "127.0.0.1"
        pending["WORKER_HTTP_PORT"] = (check_worker, f"http://{host}:{port}")
    pending["api"] = (check_api, api.url)
    findings = await _run(pending)
    if findings["api"].verdict is not Verdict.FAIL:
        findings |= await _run(
            {"api ready": (check_readiness, api.url), "api logs": (losses_check(api.token), api.url)}
        )
    for variable in (*_OPTIONAL, "model"):
        findings.setdefault(variable, Finding(Verdict.WARN, "not set; jobs that need it fail", _advice(variable)))
    if (storage := await check_storage(environ)) is not None:
        findings["STORAGE_URL"] = storage
    return findings


async def _run(pending: Mapping[str, tuple[Check, str]]) -> dict[str, Finding]:
    found = await asyncio.gather(*(run_check(check, url, variable=name) for name, (check, url) in pending.items()))
    return dict(zip(pending, found, strict=True))


def _model_endpoint(environ: Mapping[str, str]) -> tuple[Check, str] | None:
    key = environ.get("OPENAI_API_KEY") or None
    if key or environ.get("OPENAI_BASE_URL"):
        return model_check(key), environ.get("OPENAI_BASE_URL") or _OPENAI
    local = environ.get("LOCAL_MODEL_URL")
    return (model_check(None), local) if local else None


def _advice(variable: str) -> str:
    name = "OPENAI_API_KEY or LOCAL_MODEL_URL" if variable == "model" else variable
    return f"set {name}, or start `letuin up`"


def _print(console: Console, findings: Mapping[str, Finding]) -> None:
    width = max(len(name) for name in findings)
    for name, finding in findings.items():
        style = _STYLES[finding.verdict]
        console.print(f"[{style}]{finding.verdict:<4}[/]  {name:<{width}}  ", end="")
        console.print(finding.detail, markup=False)
        if finding.mend and finding.verdict is not Verdict.OK:
            console.print(f"      {'':<{width}}  → {finding.mend}", style="dim", markup=False)

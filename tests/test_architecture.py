"""The rules that hold the packages apart and keep files small, checked rather than remembered."""

import ast
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from pydantic_settings import BaseSettings

ROOT = Path(__file__).parent.parent
PACKAGES = ("api", "worker", "common", "migration", "tests")
HEAVY = ("langchain", "langchain_core", "langchain_openai", "langchain_chroma", "langgraph", "chromadb", "openai")
HEAVY_NATIVE = ("xllamacpp", "numpy", "onnxruntime")
SETTINGS = (("common.config", "CommonSettings"), ("api.config", "ApiSettings"), ("worker.config", "WorkerSettings"))
FORBIDDEN_CALLS = {"eval", "exec", "yaml.load", "os.system"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def source_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def run_python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after `statement`."""
    found = run_python(
        "-c", f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    )
    assert found.returncode == 0, found.stderr
    return set(found.stdout.split())


def test_import_contracts_hold() -> None:
    found = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_api_loads_no_heavy_library() -> None:
    assert not loaded_after("import api.main") & {*HEAVY, *HEAVY_NATIVE}


def test_worker_loads_no_web_framework() -> None:
    assert not loaded_after("import worker.main") & {"fastapi", "starlette", "uvicorn", "werkzeug"}


def test_worker_tells_numpy_its_threads_before_it_is_loaded() -> None:
    loaded = loaded_after(
        "import os\nos.environ.pop('OPENBLAS_NUM_THREADS', None)\nfrom worker.main import main\n"
        "sys.argv = ['worker', '--help']\ntry:\n    main()\nexcept SystemExit:\n    os.environ['OPENBLAS_NUM_THREADS']"
    )
    assert "numpy" not in loaded


def test_command_line_answers_quickly_and_lightly() -> None:
    statement = (
        "import contextlib, io\nfrom common.cli.main import main\nsys.argv = ['letuin', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main()"
    )
    started = time.perf_counter()
    loaded = loaded_after(statement)
    assert not loaded & {*HEAVY, *HEAVY_NATIVE, "sqlalchemy"}
    assert time.perf_counter() - started < 60


def test_no_dependency_of_a_route_needs_a_thread() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "api").rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    wanted = {ast.unparse(each) for call in calls if ast.unparse(call.func) == "Depends" for each in call.args}
    outside = [node for tree in trees for node in tree.body if not isinstance(node, ast.ClassDef)]  # no methods
    inner = [node for part in outside for node in ast.walk(part)]
    functions = [node for node in inner if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [function for function in functions if function.name in wanted]
    assert len(found) > 5
    # FastAPI runs a plain function in a thread, for each request.
    assert [ast.unparse(node) for node in found if not isinstance(node, ast.AsyncFunctionDef)] == []


def test_files_are_small_and_named_for_what_is_in_them() -> None:
    vague = {"util", "utils", "helper", "helpers", "misc"}
    assert [path for path in source_files() if len(path.read_text("utf-8").splitlines()) > 300] == []
    assert [path for path in source_files() if vague & set(path.relative_to(ROOT).with_suffix("").parts)] == []


def test_files_run_no_data() -> None:
    found = {path: list(dangerous_uses(ast.parse(path.read_text("utf-8")))) for path in source_files()}
    assert {path: uses for path, uses in found.items() if uses} == {}


def dangerous_uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = ast.unparse(node.func)
            yield from [f"line {node.lineno}: {called}"] if called in FORBIDDEN_CALLS else []
        if isinstance(node, ast.Import):
            yield from (f"line {node.lineno}: {name.name}" for name in node.names if name.name in FORBIDDEN_MODULES)
        if isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN_MODULES:
            yield f"line {node.lineno}: {node.module}"


def test_scan_finds_what_it_looks_for() -> None:
    tree = ast.parse(
        "import pickle\nfrom marshal import loads\nyaml.load(x)\neval('1')\nre.compile('x')\nyaml.safe_load(x)"
    )
    assert len(list(dangerous_uses(tree))) == 4


def test_every_setting_is_once_in_the_example_environment() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    written = Counter(re.findall(r"^#?\s?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
    fields: set[str] = set()
    for module, name in SETTINGS:
        settings: type[BaseSettings] = getattr(import_module(module), name)
        fields |= {str(field.alias or name).upper() for name, field in settings.model_fields.items()}

    assert {name for name, count in written.items() if count > 1} == set()
    assert fields - set(written) == set()

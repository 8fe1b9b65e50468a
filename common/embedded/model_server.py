"""Process of the local model: llama.cpp's OpenAI-compatible HTTP server. `python -m common.embedded.model_server`."""

import argparse
import os
import signal
from collections.abc import Sequence

import xllamacpp

_SLOTS, _CONTEXT = 4, 8192


def serve(*, model: str, alias: str, port: int) -> None:
    """Answer on 127.0.0.1:`port` until SIGTERM; four conversations at once, 2,048 tokens each."""
    stop = {signal.SIGTERM, signal.SIGINT}
    # Blocked before the server makes its threads, so that only sigwait gets them.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    server = xllamacpp.Server(_parameters(model=model, alias=alias, port=port))
    signal.sigwait(stop)
    assert server is not None, "kept alive until here"
    # The server keeps no state, and its own end can wait for ever when it has not begun yet.
    os._exit(0)


def _parameters(*, model: str, alias: str, port: int) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {alias}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.ui = False
    # Not for pages of other sites in a browser on this machine.
    params.cors_origins = f"http://127.0.0.1:{port}"
    params.cors_origins_explicit = True
    params.n_parallel = _SLOTS
    params.n_ctx = _CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    params.offline = True
    # A model this small says one sentence over and over: nothing of its last tokens is repeated for long.
    params.sampling.dry_multiplier = 0.8
    params.sampling.dry_allowed_length, params.sampling.dry_penalty_last_n = 3, 128
    return params


def _threads() -> int:
    """Half of the processors this process may use, at most four: a model this small gains nothing from more."""
    return min(4, max(1, len(os.sched_getaffinity(0)) // 2))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="path of the GGUF file")
    parser.add_argument("--alias", required=True, help="name that clients use for the model")
    parser.add_argument("--port", type=int, required=True)
    serve(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()

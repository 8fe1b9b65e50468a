# syntax=docker/dockerfile:1
# One image for every process: `api` (the default), `worker --queues …`, `migrate`, `doctor`, …

ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
RUN pip install --no-cache-dir "uv==0.13.*"
# The dependencies change less often than the code: they are a layer of their own.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-default-groups --no-install-project --no-cache \
    --extra s3 --extra scale-out --extra otel
COPY api api
COPY common common
COPY migration migration
COPY worker worker
RUN uv sync --locked --no-default-groups --no-editable --no-cache \
    --extra s3 --extra scale-out --extra otel

FROM python:${PYTHON}
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin letuin \
    && install --directory --owner letuin --group letuin /app/data /app/logs
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 API_HOST=0.0.0.0
WORKDIR /app
USER 10001
VOLUME ["/app/data", "/app/logs"]
EXPOSE 8000
# For the api. A worker's orchestrator asks its own endpoint; see docs/deployment.md.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/live', timeout=2)"]
ENTRYPOINT ["letuin"]
CMD ["api"]

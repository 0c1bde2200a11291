# Two images from one file: `web` without PyTorch, `worker` with it. Set up by the same script as `make run`; the packages
# come before the code, so that a change of code does not install them again.
#   docker build .                                      the web server, migrations, and the worker of the queue `app`
#   docker build --target worker .                      the trainer, for machines without a GPU
#   docker build --target worker --build-arg TORCH= .   the trainer, with CUDA

FROM python:3.12-slim-bookworm AS packages
ENV PATH=/srv/tiebreak/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    TIEBREAK_HOME=/data \
    UVICORN_HOST=0.0.0.0 \
    UVICORN_PORT=8000 \
    UVICORN_LOG_CONFIG=/srv/tiebreak/app/uvicorn_logging.json \
    PROMETHEUS_MULTIPROC_DIR=/tmp/tiebreak-metrics
RUN useradd --system --uid 10001 --user-group --create-home tiebreak && install -d -o tiebreak -g tiebreak /data
WORKDIR /srv/tiebreak
COPY pyproject.toml README.md ./
COPY .ci/setup.py .ci/constraints.txt .ci/
COPY static/package.json static/
RUN mkdir app worker samples && touch app/__init__.py worker/__init__.py samples/__init__.py && python .ci/setup.py web
VOLUME /data

FROM packages AS worker
ARG TORCH=cpu
RUN TORCH=$TORCH python .ci/setup.py
COPY . .
USER tiebreak
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s \
    CMD ["sh", "-c", "celery -A worker.main inspect ping -d train@$HOSTNAME"]
CMD ["celery", "-q", "-A", "worker.main", "worker", "-Q", "train", "-n", "train@%h", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]

FROM packages AS web
COPY . .
USER tiebreak
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["uvicorn", "app.main:app", "--no-access-log", "--timeout-graceful-shutdown", "5", "--timeout-worker-healthcheck", "30"]

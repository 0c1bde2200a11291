"""Log lines: text for people, or one JSON object a line (`LOG_FORMAT=json`), each with the request or the run it is about.

What a line is about is known by context: the middleware names the request, the worker's job names the run, and whatever is
logged below them, in a thread of the pool too, carries it. uvicorn is told by `uvicorn_logging.json`, Celery by its signal.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery.signals import setup_logging

from app.settings import get_settings

request_id: ContextVar[str] = ContextVar("request_id", default="")
run_id: ContextVar[int] = ContextVar("run_id", default=0)


@contextmanager
def about_run(number: int) -> Iterator[None]:
    token = run_id.set(number)
    try:
        yield
    finally:
        run_id.reset(token)


class Text(logging.Formatter):
    """2026-11-25 20:14:03.120 WARNING app.doorbell: the broker is not there … [run 7]"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 -- as below
        del datefmt
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- the standard library's name
        said = [f"request {request_id.get()}"] if request_id.get() else []
        said += [f"run {run_id.get()}"] if run_id.get() else []
        return super().formatMessage(record) + (f" [{', '.join(said)}]" if said else "")


class Lines(logging.Formatter):
    """{"at": "2026-11-25T20:14:03.120Z", "level": "warning", "logger": …, "message": …, "request": …, "run": …, "error": …}"""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "at": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request"] = request_id.get()
        if run_id.get():
            line["run"] = run_id.get()
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def formatter() -> logging.Formatter:
    return Lines() if get_settings().log_format == "json" else Text()


@setup_logging.connect
def configure(**_: object) -> None:
    """For processes that are not uvicorn's: everything to standard error. Celery leaves its own set-up out by that."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # A sweep that found nothing to do is no news; four lines of it every ten seconds would bury what is.
    for name in ("alembic", "celery.beat", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)

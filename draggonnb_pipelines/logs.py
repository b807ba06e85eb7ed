"""Log lines: two forms for every process, and the ids that say what a line is about.

Lives here: the ids (request, run, organization), the handler that writes lines as text or as JSON, and how long a run
logs. Not here: what is redacted (`resources/redaction.py`, which the callers pass), what is worth a line.
"""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

OURS = "draggonnb_pipelines"
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s"
_ABOUT: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)


@contextmanager
def about(**ids: str | None) -> Iterator[None]:
    """Lines of this task or thread, and of what it starts, carry these ids: `about(organization="kloof-coffee")`."""
    before = _ABOUT.get()
    _ABOUT.set({**(before or {}), **{name: value for name, value in ids.items() if value}})
    try:
        yield
    finally:
        _ABOUT.set(before)  # not by its token: a generator may be closed in another context than it was begun in


def handler(log_format: str, *filters: logging.Filter, stream: TextIO | None = None) -> logging.Handler:
    """A handler to stderr (or `stream`) that writes `text`, or `json`: one object a line.

    The object has `time` (ISO 8601, UTC), `level`, `logger`, `message`, the ids that are known, and `exc_info` with the
    traceback where there is one.
    """
    made = logging.StreamHandler(stream)
    made.setFormatter(JsonLines() if log_format == "json" else logging.Formatter(TEXT))
    for one in (_Ids(), *filters):
        made.addFilter(one)
    return made


@contextmanager
def logging_run(log_format: str, run_id: str, *filters: logging.Filter) -> Iterator[None]:
    """Lines of a run in this process: ours from INFO up go to stderr, with the run's id."""
    logger, line = logging.getLogger(OURS), handler(log_format, *filters)
    level = logger.level
    logger.addHandler(line)
    logger.setLevel(logging.INFO)
    try:
        with about(run_id=run_id):
            yield
    finally:
        logger.removeHandler(line)
        logger.setLevel(level)


class JsonLines(JsonFormatter):
    """One JSON object a line."""

    def __init__(self) -> None:
        super().__init__("{levelname}{name}{message}", style="{", reserved_attrs=[*RESERVED_ATTRS, "about"],
                         rename_fields={"levelname": "level", "name": "logger"})  # fmt: skip

    def format(self, record: logging.LogRecord) -> str:
        line = copy.copy(record)
        line.time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        if record.exc_text:
            line.exc_info = None  # else the traceback is made anew, and what a filter took out of it is back
        return super().format(line)


class _Ids(logging.Filter):
    """Puts the ids on the record: each as an attribute, and all as the end of a text line."""

    def filter(self, record: logging.LogRecord) -> bool:
        ids = _ABOUT.get() or {}
        for name, value in ids.items():
            setattr(record, name, value)
        record.about = "".join(f" {name}={value}" for name, value in ids.items())
        return True

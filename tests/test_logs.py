"""Log lines: two forms, the ids that they carry, and no secret in either."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from draggonnb_pipelines import logs
from draggonnb_pipelines.resources.redaction import RedactingFilter

LOGGER = logging.getLogger("draggonnb_pipelines.workflows.somewhere")


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What a process with this log format writes."""
    stream = io.StringIO()
    handler = logs.handler(request.param, RedactingFilter(), stream=stream)
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    yield stream
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(logging.NOTSET)
    LOGGER.propagate = True


as_json, as_text = (
    pytest.mark.parametrize("lines", ["json"], indirect=True),
    pytest.mark.parametrize("lines", ["text"], indirect=True),
)


@as_json
def test_a_json_line_is_one_object_with_its_ids(lines: io.StringIO):
    with logs.about(request_id="r-1"), logs.about(organization="kloof-coffee", run_id=None):
        LOGGER.warning("%d posts\nwait", 3)
    LOGGER.info("nothing is known of this one")

    first, second = map(json.loads, lines.getvalue().splitlines())
    assert first["time"].endswith("+00:00")
    assert first | {"time": ""} == {
        "time": "",
        "level": "WARNING",
        "logger": "draggonnb_pipelines.workflows.somewhere",
        "message": "3 posts\nwait",
        "request_id": "r-1",
        "organization": "kloof-coffee",
    }
    assert set(second) == {"time", "level", "logger", "message"}


@as_text
def test_a_text_line_ends_with_its_ids(lines: io.StringIO):
    with logs.about(run_id="a1b2"):
        LOGGER.info("published")

    assert lines.getvalue().endswith("INFO draggonnb_pipelines.workflows.somewhere: published run_id=a1b2\n")


@as_json
def test_what_is_redacted_stays_redacted_in_message_and_traceback(lines: io.StringIO):
    try:
        raise ValueError("password=hunter2-in-the-error")
    except ValueError:
        LOGGER.exception("token=hunter2-in-the-line")

    line = json.loads(lines.getvalue())
    assert line["message"] == "token=[redacted]"
    assert "ValueError: password=[redacted]" in line["exc_info"]
    assert "hunter2" not in lines.getvalue()


@as_json
async def test_tasks_side_by_side_do_not_mix_their_ids(lines: io.StringIO):
    async def work(name: str, seconds: float) -> None:
        with logs.about(organization=name):
            await asyncio.sleep(seconds)
            LOGGER.info("done")

    await asyncio.gather(work("first", 0.02), work("second", 0.01))
    LOGGER.info("after")

    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line.get("organization") for line in found] == ["second", "first", None]


def test_a_run_logs_with_its_id_while_it_lasts_and_leaves_nothing_behind(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    ours = logging.getLogger(logs.OURS)
    monkeypatch.setattr(ours, "propagate", False)  # what a program of another test set up would write here too
    before = (list(ours.handlers), ours.level)

    with logs.logging_run("json", "run-7", RedactingFilter()):
        LOGGER.info("secret=hunter2")
    after = (list(ours.handlers), ours.level)

    line = json.loads(capfd.readouterr().err)
    assert (line["run_id"], line["message"]) == ("run-7", "secret=[redacted]")
    assert after == before

"""What is told about requests for content, and to whom. Not here: the sending (`notices.py`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from draggonnb_pipelines.workflows.messages.notices import Notice

WRITERS = ("owner", "admin", "editor")


def notices_of(row: Mapping[str, Any]) -> Iterator[Notice]:
    """The news of one request, once for each turn that it takes: refused, left to a person, written, blocked.

    Whoever asked is told everything; without such a person, those who write posts. What needs somebody goes to these
    in any case.

    Args:
        row: of `content.request_rows`.
    """
    name = row["title"] or _shortened(row["brief"])
    faults = tuple(f"{fault['field']}: {fault['detail']}" for fault in row["faults"])
    if row["status"] == "refused":
        lines = ("It was not written, and nothing was charged:", *faults, "Correct this, and ask again.")
        yield _notice(row, "refused", f"Refused: {name}", lines, is_for_all=False)
    elif row["status"] == "needs_review":
        lines = ("It could not be written by itself:", row["review_reason"])
        yield _notice(row, "needs_review", f"Needs a person: {name}", lines, is_for_all=True)
    elif row["post_status"] == "blocked":
        found = [finding for finding in row["findings"] if finding["severity"] == "block"]
        reasons = [f"{finding['platform'] or 'all platforms'}: {finding['reason']}" for finding in found]
        lines = ("It was written, and must not go out as it is:", *reasons, "Edit it, and submit it again.")
        yield _notice(row, "blocked", f"Blocked: {name}", lines, is_for_all=True)
    elif row["post_status"] == "in_review":
        lines = (_places(row), "It waits for approval.", *faults)
        yield _notice(row, "in_review", f"Ready for approval: {name}", lines, is_for_all=False)
    elif row["post_status"] == "scheduled":
        lines = (_places(row), "It goes out by itself.", *faults)
        yield _notice(row, "scheduled", f"Scheduled: {name}", lines, is_for_all=False)


def _notice(row: Mapping[str, Any], turn: str, subject: str, lines: tuple[str, ...], *, is_for_all: bool) -> Notice:
    requester = row["requested_by"]
    return Notice(
        event_key=f"content:{row['id']}:{turn}",
        type=f"content_{turn}",
        subject=subject,
        lines=lines,
        post_id=row["post_id"],
        emails=(requester,) if requester else (),
        roles=WRITERS if is_for_all or not requester else (),
    )


def _places(row: Mapping[str, Any]) -> str:
    when = row["scheduled_local"] or "as soon as it is approved"
    return f"For {', '.join(row['platform_ids'])}; {when}."


def _shortened(brief: str) -> str:
    line = " ".join(brief.split())
    return line if len(line) <= 60 else line[:59] + "…"

"""X's error table, row by row, and what its headers say about quotas."""

import json
from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.x_errors import BY_DETAIL, BY_STATUS, BY_TYPE, Refusal, limits_of, sort_by

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
AS_POST = sort_by(may_repeat=False, now=lambda: NOW, is_post=True)
AS_READ = sort_by(may_repeat=True, now=lambda: NOW)


def response(status: int, body: object = None, **headers: str | int) -> Answer:
    named = {f"x-{name.replace('_', '-')}": str(value) for name, value in headers.items()}
    return Answer(status, named, json.dumps(body).encode())


def problem(status: int, detail: str = "Something", kind: str = "about:blank") -> dict[str, object]:
    return {"title": "Forbidden", "detail": detail, "type": kind, "status": status}


def test_success_is_no_error():
    assert AS_POST(response(201, {"data": {"id": "1"}})) is None


@pytest.mark.parametrize(("words", "refusal"), BY_DETAIL.items())
def test_what_x_says_in_the_detail_decides(words: str, refusal: Refusal):
    error = AS_POST(response(403, problem(403, f"Well, {words.upper()}. Try later: secret text")))

    assert error is not None
    assert (error.error_class, error.code, error.status) == (refusal.error_class, refusal.code, 403)
    assert error.message == f"HTTP 403, {refusal.words}"


@pytest.mark.parametrize(("kind", "refusal"), BY_TYPE.items())
def test_then_the_type_decides(kind: str, refusal: Refusal):
    error = AS_POST(response(403, problem(403, kind=f"https://api.x.com/2/problems/{kind}")))

    assert error is not None
    assert (error.error_class, error.code) == (refusal.error_class, refusal.code)


@pytest.mark.parametrize(("status", "error_class"), BY_STATUS.items())
def test_then_the_status_decides(status: int, error_class: ErrorClass):
    error = AS_POST(response(status, problem(status, "A word about somebody@example.com")))

    assert error is not None
    assert (error.error_class, error.code, error.message) == (error_class, None, f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "detail", "error_class", "code"),
    [
        (403, "You are not allowed to create a Tweet with duplicate content.", "duplicate", "duplicate-content"),
        (403, "You are not permitted to perform this action.", "permission", "not-permitted"),
        (403, "Your account is suspended and is not permitted to access this feature.", "blocked", "user-suspended"),
        (403, "Unsupported Authentication", "auth", "unsupported-authentication"),
        (400, "Your media IDs are invalid.", "input", "invalid-media"),
        (401, "Unauthorized", "auth", None),
        (401, "You are not permitted to perform this action.", "auth", None),
        (429, "Too Many Requests", "throttled", None),
    ],
)
def test_the_wordings_that_x_really_uses(status: int, detail: str, error_class: str, code: str | None):
    error = AS_POST(response(status, problem(status, detail)))

    assert error is not None
    assert (error.error_class, error.code) == (error_class, code)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_servers_error_is_ambiguous_where_something_may_have_become_public(status: int):
    body = problem(status, "duplicate content")
    as_post, as_read = AS_POST(response(status, body)), AS_READ(response(status, body))

    assert as_post is not None
    assert as_read is not None
    assert (as_post.error_class, as_read.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)


@pytest.mark.parametrize("body", [None, [], "text", {"type": 7, "detail": {}, "errors": "x"}, {"errors": [None]}])
def test_no_shape_of_an_error_breaks_the_sorting(body: object):
    error = AS_POST(response(403, body))

    assert error is not None
    assert error.error_class is ErrorClass.PERMISSION


def test_a_message_inside_the_list_of_errors_is_read_too():
    body = {"errors": [{"message": "Your media IDs are invalid."}], "type": "https://api.x.com/2/problems/x"}

    error = AS_POST(response(400, body))

    assert error is not None
    assert (error.error_class, error.code) == (ErrorClass.INPUT, "invalid-media")


def test_a_full_window_says_when_it_opens():
    error = AS_POST(response(429, problem(429), rate_limit_remaining=0, rate_limit_reset=EPOCH + 840))

    assert error is not None
    opens = datetime(2026, 11, 23, 10, 14, tzinfo=UTC)
    assert error.retry_after_seconds == 840.0
    assert error.limits == Limits(account_remaining=0, account_resets_at=opens, resume_at=opens)


def test_the_days_window_of_the_app_is_waited_for_and_not_the_accounts():
    quota = {"rate_limit_remaining": 42, "rate_limit_reset": EPOCH + 60}
    day = {"app_limit_24hour_remaining": 0, "app_limit_24hour_reset": EPOCH + 7200}

    error = AS_POST(response(429, problem(429), **quota, **day))

    assert error is not None
    opens = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert error.retry_after_seconds == 7200.0
    assert isinstance(error.limits, Limits)
    assert (error.limits.account_remaining, error.limits.app_remaining) == (42, 0)
    assert (error.limits.app_resets_at, error.limits.resume_at) == (opens, opens)


def test_of_two_windows_of_the_account_the_tighter_one_counts():
    quota = {"rate_limit_remaining": 42, "rate_limit_reset": EPOCH + 60}
    day = {"user_limit_24hour_remaining": 3, "user_limit_24hour_reset": EPOCH + 3600}

    limits = limits_of(response(201, {}, **quota, **day))

    assert limits == Limits(account_remaining=3, account_resets_at=datetime(2026, 11, 23, 11, 0, tzinfo=UTC))


def test_a_reads_window_says_nothing_about_posting_unless_it_is_full():
    quota = {"rate_limit_remaining": 5, "rate_limit_reset": EPOCH + 60}
    full = {"rate_limit_remaining": 0, "rate_limit_reset": EPOCH + 60}

    other, throttled = AS_READ(response(403, problem(403), **quota)), AS_READ(response(429, problem(429), **full))

    assert other is not None
    assert throttled is not None
    assert other.limits is None
    assert throttled.limits == Limits(resume_at=datetime(2026, 11, 23, 10, 1, tzinfo=UTC))


@pytest.mark.parametrize("reset", ["", "soon", "9" * 30])
def test_headers_that_say_nothing_usable_are_passed_over(reset: str):
    assert limits_of(response(201, {}, rate_limit_remaining=5, rate_limit_reset=reset)) is None

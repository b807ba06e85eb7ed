"""What the Graph API's errors and usage headers mean: the vendor's table, row by row."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.graph_errors import TOO_FEW_VIEWERS, limits_of, sort_graph

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
E = ErrorClass


def response(status: int, error: dict[str, Any] | None = None, **headers: str) -> Answer:
    content = b"<html>gateway</html>" if error is None else json.dumps({"error": error}).encode()
    return Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, content)


def sorted_class(status: int, error: dict[str, Any] | None, *, is_irreversible: bool) -> ErrorClass:
    verdict = sort_graph("facebook", response(status, error), is_irreversible=is_irreversible, now=NOW)
    assert verdict is not None
    return verdict.error_class


@pytest.mark.parametrize(
    ("code", "subcode", "error_class"),
    [
        *((code, None, E.THROTTLED) for code in (4, 17, 32, 341, 613, 80000, 80001, 80002, 80008, 80014)),
        *((190, subcode, E.AUTH) for subcode in (None, 458, 459, 460, 463, 464, 467, 492)),
        (102, None, E.AUTH),
        *((code, None, E.PERMISSION) for code in (3, 10, 200, 230, 299)),
        *((368, subcode, E.BLOCKED) for subcode in (None, 1390008, 4854002)),
        (1404112, None, E.BLOCKED),
        *((code, None, E.DUPLICATE) for code in (506, 1366051)),
        (100, 1366051, E.DUPLICATE),
        *((c, None, E.INPUT) for c in (100, 1609005, 1609008, 2061006, 1349125, 1366046, 1346003, 1404102)),
        (100, 33, E.INPUT),
        *((code, None, E.RETRY) for code in (1363047, 1609010)),
        (-2, 2207003, E.RETRY),
        (-2, 2207020, E.RETRY),
        (-1, 2207032, E.RETRY),
        (-1, 2207053, E.RETRY),
        (24, 2207006, E.RETRY),
        (24, 2207008, E.RETRY),
        (9007, 2207027, E.RETRY),
        (9004, 2207052, E.RETRY),
        (9, 2207042, E.THROTTLED),
        (4, 2207051, E.BLOCKED),
        (25, 2207050, E.BLOCKED),
        (1, 2207057, E.INPUT),
        (100, 2207028, E.INPUT),
        (100, 2207040, E.INPUT),
        (36000, 2207004, E.INPUT),
        (36001, 2207005, E.INPUT),
        (36003, 2207009, E.INPUT),
        (36004, 2207010, E.INPUT),
        (987654, None, E.INPUT),
    ],
)
def test_a_definite_error_has_one_class_whatever_the_call_was(
    code: int, subcode: int | None, error_class: ErrorClass
) -> None:
    error = {"code": code, "message": "the words of a client", "fbtrace_id": "Atrace"}
    if subcode is not None:
        error["error_subcode"] = subcode
    verdict = sort_graph("instagram", response(400, error), is_irreversible=True, now=NOW)

    assert verdict is not None
    assert verdict.error_class is error_class
    assert verdict.code == (str(code) if subcode is None else f"{code}/{subcode}")
    assert (verdict.vendor, verdict.status, verdict.request_id) == ("instagram", 400, "Atrace")
    assert "words of a client" not in str(verdict)
    assert sorted_class(400, error, is_irreversible=False) is error_class


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"code": 1}),
        (500, {"code": 2}),
        (400, {"code": -1, "error_subcode": 2207001}),
        (400, {"code": 987654, "is_transient": True}),
        (503, {"code": 987654}),
        (502, None),
        (408, None),
    ],
)
def test_the_vendors_own_trouble_is_ambiguous_only_where_something_may_be_public(
    status: int, error: dict[str, Any] | None
) -> None:
    assert sorted_class(status, error, is_irreversible=True) is ErrorClass.AMBIGUOUS
    assert sorted_class(status, error, is_irreversible=False) is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("status", "error_class"), [(401, E.AUTH), (403, E.PERMISSION), (429, E.THROTTLED), (400, E.INPUT), (404, E.INPUT)]
)
def test_without_a_code_the_http_status_decides(status: int, error_class: ErrorClass) -> None:
    assert sorted_class(status, None, is_irreversible=True) is error_class
    assert sorted_class(status, {"code": True, "error_subcode": "x"}, is_irreversible=True) is error_class


@pytest.mark.parametrize(("subcode", "seconds"), [(2207042, 3600.0), (2207008, 30.0), (2207027, 30.0), (2207006, None)])
def test_some_errors_say_how_long_to_wait(subcode: int, seconds: float | None) -> None:
    error = {"code": 9, "error_subcode": subcode}
    verdict = sort_graph("instagram", response(400, error), is_irreversible=True, now=NOW)

    assert verdict is not None
    assert verdict.retry_after_seconds == seconds


def business(**use: Any) -> str:
    return json.dumps({"1": [{"type": "pages", "call_count": 10}], "2": [{"type": "instagram", **use}]})


@pytest.mark.parametrize(
    ("app", "use", "limits"),
    [
        (None, None, None),
        ("not json", "[]", None),
        ('{"call_count": 28, "total_time": 31, "total_cputime": 2}', None, Limits(app_percent=31.0)),
        ('{"call_count": 94.9}', None, Limits(app_percent=94.9)),
        ('{"call_count": 95}', None, Limits(app_percent=95.0, resume_at=NOW + timedelta(hours=1))),
        (None, business(call_count=94, estimated_time_to_regain_access=0), Limits()),
        (None, business(call_count=96), Limits(resume_at=NOW + timedelta(hours=1))),
        (None, business(estimated_time_to_regain_access=7), Limits(resume_at=NOW + timedelta(minutes=7))),
        (
            '{"call_count": 99}',
            business(call_count=100, estimated_time_to_regain_access=12),
            Limits(app_percent=99.0, resume_at=NOW + timedelta(minutes=12)),
        ),
        (f'{{"call_count": 1{400 * "0"}, "total_time": 1e400, "total_cputime": NaN}}', None, None),
        (f'{{"call_count": 7, "total_time": 1{400 * "0"}}}', None, Limits(app_percent=7.0)),
        ('{"call_count": true}', '{"1": {"call_count": 99}, "2": ["x"]}', None),
    ],
)
def test_usage_headers_become_limits(app: str | None, use: str | None, limits: Limits | None) -> None:
    headers = {"x_app_usage": app, "x_business_use_case_usage": use}
    said = response(200, {}, **{name: value for name, value in headers.items() if value is not None})

    assert limits_of(said, NOW) == limits


def test_a_throttled_call_waits_as_long_as_the_usage_header_says() -> None:
    said = response(400, {"code": 32}, x_business_use_case_usage=business(estimated_time_to_regain_access=5))
    verdict = sort_graph("facebook", said, is_irreversible=True, now=NOW)

    assert verdict is not None
    assert (verdict.error_class, verdict.retry_after_seconds) == (ErrorClass.THROTTLED, 300.0)
    assert verdict.limits == Limits(resume_at=NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("message", "error_class", "code"),
    [
        ("(#10) Not enough viewers for the media to show insights", E.INPUT, TOO_FEW_VIEWERS),
        ("(#10) Application does not have permission for this action", E.PERMISSION, "10"),
    ],
)
def test_too_few_viewers_are_no_lack_of_rights(message: str, error_class: ErrorClass, code: str) -> None:
    error = {"code": 10, "message": message}

    verdict = sort_graph("instagram", response(400, error), is_irreversible=False, now=NOW)

    assert verdict is not None
    assert (verdict.error_class, verdict.code) == (error_class, code)

"""The net under the log: secrets that must not pass, and text that must."""

import logging
import time

import pytest

from draggonnb_pipelines.resources.postgres import redact_dsn
from draggonnb_pipelines.resources.redaction import RedactingFilter, redact, redact_handlers


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcDEF123456.x", "Authorization: Bearer [redacted]"),
        ("authorization=Basic dXNlcjpwYXNz", "authorization=Basic [redacted]"),
        ("x-api-key: 12345", "x-api-key: [redacted]"),
        ('{"api_key": "12345", "n": 1}', '{"api_key": "[redacted]", "n": 1}'),
        ("{'password': 'p w'}", "{'password': '[redacted]'}"),
        ('{"password": "p \\" w", "n": 1}', '{"password": "[redacted]", "n": 1}'),
        (r"host=db password='hunter\' 2' user=me", "host=db password='[redacted]' user=me"),
        ("GET /x?access_token=abc&page=2", "GET /x?access_token=[redacted]&page=2"),
        ("host=db password=hunter2 user=me", "host=db password=[redacted] user=me"),
        ("postgresql://me:hunter2@db/x", "postgresql://me:[redacted]@db/x"),
        ("redis://:hunter2@db:6379/0", "redis://:[redacted]@db:6379/0"),
        ("postgresql://me:p@ss/w:rd@db/x", "postgresql://me:[redacted]@db/x"),
        ("key sk-ant-api03-abcdefghij", "key [redacted]"),
        ("EAAGm0PX4ZCpsBAKZCZBZCZBabcdef", "[redacted]"),
        ("ghp_abcdefghijklmnopqrst", "[redacted]"),
        ("sbp_0123456789abcdef0123", "[redacted]"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0", "[redacted]"),
        ("DRAGGONNB_MASTER_KEYS=k1:AAECAwQ=", "DRAGGONNB_MASTER_KEYS=[redacted]"),
    ],
)
def test_secrets_are_masked(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "input_tokens=12 tokens_used: 900",
        "http://127.0.0.1:8080/api/health",
        "postgresql://me@db/x",
        "the bearer of bad news",
        "mail to anna@acme.co.za",
        "vendor_call vendor=claude method=POST url=api.anthropic.com/v1/messages status=200 ms=12 request_id=req_1",
    ],
)
def test_ordinary_text_passes(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://me:hunter2@db:5432/x", "postgresql://me:[redacted]@db:5432/x"),
        ("postgresql://me:hun?t@er/2@db/x", "postgresql://me:[redacted]@db/x"),
        (
            "postgresql://me@db/x?password=hun;ter2&sslmode=require",
            "postgresql://me@db/x?password=[redacted]&sslmode=require",
        ),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("user=me password=hun;ter2 dbname=x host=db", "user=me password=[redacted] dbname=x host=db"),
        (r"host=db user=me password = 'hun \' ter2' dbname=x", "host=db user=me password=[redacted] dbname=x"),
        ("host=db sslpassword=hunter2 dbname=x", "host=db sslpassword=[redacted] dbname=x"),
        ("host=/var/tmp/x dbname=draggonnb user=postgres", "host=/var/tmp/x dbname=draggonnb user=postgres"),
        ("host=db passwordhunter2", "[redacted]"),
    ],
)
def test_a_dsn_is_shown_without_its_password(dsn: str, shown: str) -> None:
    assert sorted(redact_dsn(dsn).split()) == sorted(shown.split())


def test_addresses_of_people_are_masked_on_request() -> None:
    assert redact("to anna+x@acme.co.za and b@c.io", emails=True) == "to [email] and [email]"


def test_the_filter_cleans_message_arguments_and_traceback() -> None:
    written: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    logger = logging.Logger("test-redaction")
    logger.addHandler(Collect())
    redact_handlers(logger)
    redact_handlers(logger)
    try:
        raise ValueError("postgresql://me:hunter2@db/x")
    except ValueError:
        logger.exception("failed with %s", "password=hunter2")

    [line] = written
    assert line.startswith("failed with password=[redacted]\nTraceback")
    assert line.endswith("ValueError: postgresql://me:[redacted]@db/x")
    assert "hunter2" not in line
    assert [type(known) for known in logger.handlers[0].filters] == [RedactingFilter]


@pytest.mark.parametrize(
    "piece", ["a", "://", "token", "password ", "a@", "eyJ", "bearer ", "x.", "-_", "=", ":", "token='", "\\"]
)
def test_hostile_text_does_not_make_it_slow(piece: str) -> None:
    started = time.perf_counter()
    redact(piece * (100_000 // len(piece)), emails=True)

    assert time.perf_counter() - started < 2

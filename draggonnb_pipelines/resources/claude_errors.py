"""Claude's failures, sorted into our classes.

Lives here: the table of statuses and error codes, and what a broken connection means. Does not live here: what is
done about a class (`claude.py` retries; the workflows decide the rest).
"""

import math

import aiohttp
import anthropic
import httpx2

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.claude_messages import VENDOR

# What the SDK raises.
SDK_ERRORS = (anthropic.AnthropicError, httpx2.HTTPError)
_BY_STATUS = {
    400: ErrorClass.INPUT,
    401: ErrorClass.AUTH,
    402: ErrorClass.CONFIG,
    403: ErrorClass.PERMISSION,
    404: ErrorClass.CONFIG,  # a retired model, or a wrong base URL
    408: ErrorClass.RETRY,
    409: ErrorClass.RETRY,
    413: ErrorClass.INPUT,
    429: ErrorClass.THROTTLED,
}
_BY_TYPE = {
    "invalid_request_error": ErrorClass.INPUT,
    "authentication_error": ErrorClass.AUTH,
    "billing_error": ErrorClass.CONFIG,
    "permission_error": ErrorClass.PERMISSION,
    "not_found_error": ErrorClass.CONFIG,
    "rate_limit_error": ErrorClass.THROTTLED,
    "timeout_error": ErrorClass.RETRY,
    "overloaded_error": ErrorClass.RETRY,
    "api_error": ErrorClass.RETRY,
}
# These come as 429 (or 400) with a `retry-after` that would be obeyed for weeks: only a person can raise the limit.
_SPEND_LIMITS = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
_NOTHING_WAS_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout)


def sorted_error(error: Exception) -> VendorError:
    """Sort what the SDK raised. A question has no outside effect, so a lost connection or a timeout is RETRY."""
    if isinstance(error, anthropic.APIStatusError):
        return _sorted_status(error)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return VendorError(VENDOR, ErrorClass.RETRY, "no answer in time", code="timeout")
    if isinstance(error, anthropic.APIConnectionError | httpx2.HTTPError):
        return VendorError(VENDOR, ErrorClass.RETRY, "the connection failed", code="connection")
    return VendorError(VENDOR, ErrorClass.CONFIG, f"the SDK refused the call ({type(error).__name__})")


def sorted_error_of_submission(error: Exception) -> VendorError:
    """Sort a failure of a call that creates something: unless surely nothing happened, the outcome is AMBIGUOUS."""
    failure = sorted_error(error)
    surely_nothing = failure.status in (409, 429, 529) or nothing_was_sent(error)
    if failure.error_class is ErrorClass.RETRY and not surely_nothing:
        return VendorError(
            VENDOR,
            ErrorClass.AMBIGUOUS,
            f"the batch may or may not exist: {failure.message}",
            status=failure.status,
            code=failure.code,
            request_id=failure.request_id,
        )
    return failure


def sorted_batch_failure(error_type: str, request_id: str | None) -> VendorError:
    """Sort the failure of one question inside a batch, where no HTTP status exists."""
    error_class = _BY_TYPE.get(error_type, ErrorClass.RETRY)
    return VendorError(
        VENDOR, error_class, f"failed in the batch: {error_type}", code=error_type, request_id=request_id
    )


def nothing_was_sent(error: BaseException | None) -> bool:
    """True if the connection was never made. The SDK wraps the reason, so its chain of causes is walked."""
    while error is not None:
        if isinstance(error, _NOTHING_WAS_SENT):
            return True
        error = error.__cause__
    return False


def _sorted_status(error: anthropic.APIStatusError) -> VendorError:
    status = error.status_code
    code = error.error_code or error.type
    error_class = _BY_STATUS.get(status, ErrorClass.RETRY if status >= 500 else ErrorClass.INPUT)
    if error.error_code in _SPEND_LIMITS:
        error_class = ErrorClass.CONFIG
    message = f"HTTP {status} {code or ''}".strip()
    if error_class is ErrorClass.INPUT and error.api_message:
        # The vendor names the faulty field; it never quotes the prompt.
        message += f": {error.api_message[:300]}"
    return VendorError(
        VENDOR,
        error_class,
        message,
        status=status,
        code=code,
        request_id=error.request_id,
        retry_after_seconds=None if error_class is ErrorClass.CONFIG else _retry_after(error.response),
    )


def _retry_after(response: httpx2.Response) -> float | None:
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None

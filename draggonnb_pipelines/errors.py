"""The one taxonomy of failure.

Lives here: the classes into which every vendor answer is sorted, and the few exceptions that cross rooms.
Does not live here: the decision which class an answer has (the vendor's adapter makes it), and what Dagster
does about it (`assets/` turns a class into a retry or a failed partition, in one place).
"""

from enum import StrEnum


class ErrorClass(StrEnum):
    """What a failed call means for us; operators and retries look at nothing else."""

    RETRY = "retry"  # nothing happened, or the call is idempotent: back off and call again
    THROTTLED = "throttled"  # a quota: wait as long as the vendor says
    AMBIGUOUS = "ambiguous"  # the call may have had its effect: reconcile, never resend blindly
    DUPLICATE = "duplicate"  # the vendor has it already: find it and adopt its id
    AUTH = "auth"  # token expired or revoked
    PERMISSION = "permission"  # scope, role or plan: a person must act
    BLOCKED = "blocked"  # spam or checkpoint: stop this account
    INPUT = "input"  # the request itself is wrong: never retry
    CONFIG = "config"  # sunset version, retired model, wrong set-up: stop the vendor, tell the operator


TRANSIENT = frozenset({ErrorClass.RETRY, ErrorClass.THROTTLED})


class DraggonnbError(Exception):
    """Root of every error that we raise on purpose."""


class OperatorError(DraggonnbError):
    """Something an operator can put right. The message says what is wrong, `remedy` what to do about it."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(f"{message}\n  -> {remedy}")
        self.message = message
        self.remedy = remedy


class TenantUnavailable(DraggonnbError):
    """A tenant's database does not answer. Its rows wait; other tenants go on."""

    def __init__(self, slug: str, reason: str) -> None:
        super().__init__(f"tenant {slug}: database unavailable: {reason}")
        self.slug = slug
        self.reason = reason


class VendorError(DraggonnbError):
    """A vendor's answer (or silence), sorted. Carries no body: bodies hold personal data and secrets.

    Args:
        vendor: adapter name, such as "claude".
        error_class: what it means for us.
        message: one line for a person, redacted.
        status: HTTP status, if there was one.
        code: the vendor's own error code.
        request_id: the vendor's id of the call, for their support.
        retry_after_seconds: how long the vendor asked us to wait.
        existing_id: with DUPLICATE, the id of what exists already.
        limits: what the answer's headers said about quotas (`domain.publishing.Limits`), where an adapter reads them.
    """

    def __init__(
        self,
        vendor: str,
        error_class: ErrorClass,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
        existing_id: str | None = None,
        limits: object = None,
    ) -> None:
        super().__init__(f"{vendor}: {error_class.value}: {message}")
        self.vendor = vendor
        self.error_class = error_class
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.existing_id = existing_id
        self.limits = limits

    @property
    def is_transient(self) -> bool:
        """True where the same call may be made again later without a person and without a double effect."""
        return self.error_class in TRANSIENT


class NeedsReview(DraggonnbError):
    """One piece of work cannot go on without a person. It is parked with this reason, never retried by itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

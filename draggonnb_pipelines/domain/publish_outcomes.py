"""What a platform's answer means for a row of the publish ledger: one place that turns classes into states.

Lives here: pure decisions. Not here: who decides the class of an answer (the platform's adapter), and the storing
(`workflows/publishing/publishing.py`).
"""

from dataclasses import dataclass

from draggonnb_pipelines.errors import ErrorClass, VendorError

MAX_TRIES = 8
FIRST_DELAY_SECONDS = 15.0
LONGEST_DELAY_SECONDS = 3600.0
THROTTLED_SECONDS = 900.0
STOPPED_SECONDS = 900.0
# For as long as nothing else holds the account back (somebody renews its token, say), it is asked once a minute.
HELD_SECONDS = 60.0
MAX_UNREADABLE = 6
# The account or our set-up is at fault, not the post: it waits until that is mended.
_HELD = frozenset({ErrorClass.AUTH, ErrorClass.PERMISSION, ErrorClass.BLOCKED, ErrorClass.CONFIG})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The row's next state, after how long it is looked at again, its fruitless tries by then, and what is asked."""

    status: str
    delay_seconds: float = 0.0
    tries: int = 0
    question: str | None = None


def verdict_on(error: VendorError, *, tries: int, settle_seconds: float, jitter: float) -> Verdict:
    """What follows from a failed call.

    Only RETRY is sent again, after 15 s, 1 min, 4 min ... an hour; after eight tries a person is asked. THROTTLED waits
    as long as the platform says. AMBIGUOUS and DUPLICATE are settled by reading the platform back. Trouble of the
    account or of our set-up leaves the row where it is: `social_accounts.status` or `app_quotas` hold it.

    Args:
        tries: fruitless ones before this.
        settle_seconds: how long a platform may take to show what it accepted.
        jitter: 0 to 1; spreads those that failed together.
    """
    kind = error.error_class
    if kind is ErrorClass.AMBIGUOUS:
        return Verdict("unknown", settle_seconds, tries)
    if kind is ErrorClass.DUPLICATE:
        return Verdict("unknown", 0.0, tries)
    if kind is ErrorClass.INPUT:
        return Verdict("refused")
    if kind is ErrorClass.THROTTLED:
        return Verdict("scheduled", max(error.retry_after_seconds or THROTTLED_SECONDS, 1.0) + jitter, tries)
    if kind in _HELD:
        return Verdict("scheduled", STOPPED_SECONDS if kind is ErrorClass.CONFIG else HELD_SECONDS, tries)
    if tries + 1 >= MAX_TRIES:
        return Verdict(
            "needs_review",
            0.0,
            tries + 1,
            f"The platform has failed {tries + 1} times in a row and nothing was published. Try again, or drop it?",
        )
    return Verdict("scheduled", backoff_seconds(tries, jitter), tries + 1)


def backoff_seconds(tries: int, jitter: float) -> float:
    """Exponential with jitter: between half and the whole of 15 s, 1 min, 4 min, 16 min, an hour."""
    return min(FIRST_DELAY_SECONDS * 4.0**tries, LONGEST_DELAY_SECONDS) * (0.5 + jitter / 2)


def verdict_on_unreadable(error: VendorError, *, tries: int, jitter: float) -> Verdict:
    """What follows when the platform cannot be read back: look again later, and in the end ask a person."""
    if error.error_class is ErrorClass.THROTTLED:
        return Verdict("unknown", max(error.retry_after_seconds or THROTTLED_SECONDS, 1.0) + jitter, tries)
    if error.is_transient and tries + 1 < MAX_UNREADABLE:
        return Verdict("unknown", backoff_seconds(tries, jitter), tries + 1)
    return Verdict(
        "needs_review",
        0.0,
        tries + 1,
        f"It is not known whether this was published, and the platform cannot be read ({error.message}). "
        "Look at the account: is the post there?",
    )

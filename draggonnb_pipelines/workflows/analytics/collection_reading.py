"""Asking a platform for the numbers of an account's posts, and what its answer means for each of them.

Lives here: the gate that keeps a platform in trouble from being asked by every client, and the verdict on each post:
read, gone, or when to ask again and why. Does not live here: the calls (`resources/*_metrics.py`), claiming and storing
(`collection.py`).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from draggonnb_pipelines.domain.measuring import next_day_begins, next_measure_at
from draggonnb_pipelines.domain.metrics import Reading, Readings
from draggonnb_pipelines.domain.publishing import Account, Limits, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.publish_quotas import VENDOR_OF, Quotas

LEASE = timedelta(minutes=15)
# Shorter than the lease: what takes longer is given up before another run may ask for the same.
READ_SECONDS = 600.0
AGAIN = timedelta(minutes=30)
AGAIN_AFTER_STOP = timedelta(hours=1)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(days=1)
# So many accounts in a row without an answer, and the platform is not asked in this run any more.
SILENCE_AFTER = 8
ADVICE = {
    ErrorClass.AUTH: "connect the account anew",
    ErrorClass.PERMISSION: "connect the account anew, with the right to read its numbers",
    ErrorClass.BLOCKED: "the account's owner must see to it at the platform",
    ErrorClass.CONFIG: "mend the set-up of our app there",
    ErrorClass.INPUT: "show this to whoever looks after the software",
}
log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """What becomes of one claimed post. `problem`: why there is no `reading`, and what comes next."""

    post: Mapping[str, Any]
    reading: Reading | None
    next_at: datetime | None
    problem: str | None = None


@dataclass(frozen=True)
class AccountAnswer:
    """What one account's platform gave. `refusal` is about the account itself, and the `token` that was refused."""

    platform: Platform
    account_id: UUID
    verdicts: Sequence[Verdict]
    readings: Readings
    refusal: VendorError | None = None
    token: str | None = None


@dataclass
class Gate:
    """Which platforms this run may ask: not those that are stopped or ask for silence, nor those that do not answer."""

    quotas: Quotas
    _silent: dict[Platform, int] = field(default_factory=dict)
    _closed: dict[Platform, VendorError] = field(default_factory=dict)

    def refusal(self, platform: Platform, now: datetime) -> VendorError | None:
        """Why the platform is not to be asked; None: it may be."""
        vendor = VENDOR_OF[platform]
        if reason := self.quotas.stopped.get(vendor):
            return VendorError(platform, ErrorClass.CONFIG, f"everything there is stopped: {reason}")
        until = self.quotas.resume_at.get(vendor)
        # X and LinkedIn count reading apart from posting, Meta counts all calls of the app together.
        if vendor == "meta" and until is not None and until > now:
            seconds = (until - now).total_seconds()
            return VendorError(
                platform, ErrorClass.THROTTLED, "our app's quota is used up", retry_after_seconds=seconds
            )
        return self._closed.get(platform)

    def note(self, platform: Platform, limits: Limits | None, error: VendorError | None, now: datetime) -> None:
        """Learn from an answer, or from its lack.

        A refusal of our app closes the platform for this run; it stops nobody's publishing, which finds out by itself.
        """
        if VENDOR_OF[platform] == "meta":
            self.quotas.note(platform, limits, now)
        if error is None:
            self._silent[platform] = 0
        elif error.error_class is ErrorClass.CONFIG or error.code == "usage-capped":
            self._closed[platform] = error
        elif error.is_transient:
            self._silent[platform] = self._silent.get(platform, 0) + 1
            if self._silent[platform] >= SILENCE_AFTER:
                self._closed[platform] = error


async def read_account(
    stack: Stack, gate: Gate, opened: Account | VendorError, posts: Sequence[Mapping[str, Any]], day: date
) -> AccountAnswer:
    """Ask for the numbers of these posts, which are of one account; every one of them has a verdict in the end."""
    platform, account_id = Platform(posts[0]["platform_id"]), posts[0]["account_id"]
    closed = gate.refusal(platform, stack.now())
    if closed or isinstance(opened, VendorError):
        error = closed or opened
        assert isinstance(error, VendorError)
        verdicts = [_put_off(post, error, stack.now()) for post in posts]
        return AccountAnswer(platform, account_id, verdicts, Readings(()), None if closed else _of_account([error]))
    answer = await _ask(stack, opened, posts, day)
    failed = answer if isinstance(answer, VendorError) else None
    if isinstance(answer, VendorError):
        limits = answer.limits if isinstance(answer.limits, Limits) else None
        answer = Readings((), {post["platform_post_id"]: answer for post in posts}, calls=1, limits=limits)
    now = stack.now()
    gate.note(platform, answer.limits, failed, now)
    refusal = _of_account([failed] if failed else list(answer.unread.values()))
    return AccountAnswer(platform, account_id, _verdicts(posts, answer, now), answer, refusal, opened.token or None)


async def _ask(stack: Stack, account: Account, posts: Sequence[Mapping[str, Any]], day: date) -> Readings | VendorError:
    try:
        async with asyncio.timeout(READ_SECONDS):
            ids = [post["platform_post_id"] for post in posts]
            return await stack.platforms[account.platform].read_metrics(account, ids, on=day)
    except VendorError as error:
        return error
    except TimeoutError:
        return VendorError(account.platform, ErrorClass.RETRY, f"no answer within {READ_SECONDS:.0f} s")
    except Exception as error:  # one account's strange answer must not take the others with it
        log.exception("an account's numbers at %s broke our reading", account.platform)
        return VendorError(account.platform, ErrorClass.RETRY, f"our own code failed: {type(error).__name__}")


def _verdicts(posts: Sequence[Mapping[str, Any]], readings: Readings, now: datetime) -> list[Verdict]:
    found = {reading.platform_post_id: reading for reading in readings.readings}
    verdicts = []
    for post in posts:
        reading = found.get(post["platform_post_id"])
        if reading is None:
            unread = readings.unread.get(post["platform_post_id"])
            forgotten = VendorError(post["platform_id"], ErrorClass.RETRY, "the answer says nothing about the post")
            verdicts.append(_put_off(post, unread or forgotten, now))
        else:
            next_at = None if reading.is_gone else next_measure_at(post["published_at"], now)
            verdicts.append(Verdict(post, reading, next_at))
    return verdicts


def _put_off(post: Mapping[str, Any], error: VendorError, now: datetime) -> Verdict:
    at = again_at(error, now)
    advice = ADVICE.get(error.error_class)
    next_step = f"{advice}; " if advice else ""
    return Verdict(post, None, at, f"{error}; {next_step}it is asked again at {at:%Y-%m-%d %H:%M} UTC"[:500])


def again_at(error: VendorError, now: datetime) -> datetime:
    """When to ask again: as the vendor says, a minute at least and a day at most; else in half an hour, or at the next
    06:00 UTC where only people can mend it."""
    if error.retry_after_seconds is not None:
        # Whatever a header says: infinity is no timedelta, and what is no number asks for nothing.
        seconds = max(SHORTEST_WAIT.total_seconds(), error.retry_after_seconds)
        return now + timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
    if error.error_class is ErrorClass.CONFIG:
        return now + AGAIN_AFTER_STOP
    if error.error_class in (ErrorClass.PERMISSION, ErrorClass.BLOCKED, ErrorClass.INPUT):
        return next_day_begins(now)
    return now + AGAIN


def _of_account(errors: Sequence[VendorError]) -> VendorError | None:
    """What says that the account is dead or locked. A right that only reading lacks must not hold its posts back, nor
    must a cap of our app."""
    for error in errors:
        if error.error_class is ErrorClass.AUTH:
            return error
        if error.error_class is ErrorClass.BLOCKED and error.code != "usage-capped":
            return error
    return None

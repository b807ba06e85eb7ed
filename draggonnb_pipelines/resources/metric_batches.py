"""Many posts, asked for batch by batch, as one `Readings`.

Lives here: what one batch's trouble means for the others. Does not live here: the calls (`x_metrics.py`,
`linkedin_metrics.py`), when posts that were not read are asked for again (`workflows/analytics/collection.py`).
"""

from collections.abc import Awaitable, Callable, Sequence

from draggonnb_pipelines.domain.metrics import Readings
from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass, VendorError

# Trouble of one call. Any other class concerns the account or the platform: the next batch would only hear it again.
_OF_ONE_CALL = frozenset({ErrorClass.RETRY, ErrorClass.INPUT})

ReadBatch = Callable[[Sequence[str]], Awaitable[Readings]]


def in_batches(post_ids: Sequence[str], size: int) -> list[Sequence[str]]:
    """All posts, each once, at most `size` together."""
    ids = list(dict.fromkeys(post_ids))
    return [ids[start : start + size] for start in range(0, len(ids), size)]


async def read_batches(batches: Sequence[Sequence[str]], read: ReadBatch) -> Readings:
    """Read one batch after the other; what a failed one held is unread.

    Raises:
        VendorError: no batch was answered; the last error.
    """
    total, answered = Readings(()), 0
    failed: VendorError | None = None
    for number, batch in enumerate(batches):
        try:
            total = merged(total, await read(batch))
            answered += 1
        except VendorError as error:
            failed = error
            goes_on = error.error_class in _OF_ONE_CALL
            unread = batch if goes_on else [one for later in batches[number:] for one in later]
            limits = error.limits if isinstance(error.limits, Limits) else None
            total = merged(total, Readings((), dict.fromkeys(unread, error), calls=1, limits=limits))
            if not goes_on:
                break
    if failed and not answered:
        raise failed
    return total


def merged(first: Readings, then: Readings) -> Readings:
    """Both together; of what is said once, the later counts."""
    return Readings(
        first.readings + then.readings,
        {**first.unread, **then.unread},
        first.calls + then.calls,
        first.cost_usd + then.cost_usd,
        then.limits or first.limits,
        then.api_version or first.api_version,
    )

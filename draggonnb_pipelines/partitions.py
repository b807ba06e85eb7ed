"""Organization x day, organization x week, and organization alone for what a client has once: the partitionings of
tenant assets.

Lives here: the partition definitions, the key's text form in both directions, and the registration of organizations.
Does not live here: how one run serves many keys (`tenant_runs.py`), and who is an active organization (the master
database knows; `organizations` only names those that Dagster has ever been told about).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from draggonnb_pipelines.domain.reports import NO_DAY, PartitionKey

WINDOW_DAYS = 60  # with the month that it is snapped to 91 at most: 1,000 clients stay under 100,000 keys an asset


def window_start(today: date, window_days: int = WINDOW_DAYS) -> date:
    """First day that Dagster still shows: `window_days` back, snapped to the first of that month.

    A start that moved daily would change the definition's identity and make Dagster rebuild the status of every
    asset every day (1.9 s an asset at 1,000 organizations); snapped, it happens once a month.
    """
    return (today - timedelta(days=window_days)).replace(day=1)


organizations = dg.DynamicPartitionsDefinition(name="organizations")

# end_offset=1: today is a key while it lasts. The start is taken when a process loads; a code server that runs over
# the turn of a month shows one month more until it is reloaded, which does no harm.
day = dg.DailyPartitionsDefinition(
    start_date=window_start(datetime.now(UTC).date()).isoformat(), end_offset=1, timezone="UTC"
)

# Dagster orders dimensions by name, so the text form of a key is `<day>|<organization>`.
organization_day = dg.MultiPartitionsDefinition({"organization": organizations, "day": day})

# A week is named by the day on which it begins, a Monday, so that its keys read like those of days. end_offset=1: the
# week that runs is a key already, since a zone ahead of UTC ends it before UTC does.
week = dg.WeeklyPartitionsDefinition(
    start_date=window_start(datetime.now(UTC).date()).isoformat(), day_offset=1, end_offset=1, timezone="UTC"
)
organization_week = dg.MultiPartitionsDefinition({"organization": organizations, "day": week})


def to_dagster(key: PartitionKey) -> str:
    """Dagster's form of a key. ValueError for a slug that its text form could not carry."""
    if not key.slug or "|" in key.slug or "," in key.slug:
        raise ValueError(f"not an organization's slug: {key.slug!r}")
    if key.day == NO_DAY:
        return key.slug
    return dg.MultiPartitionKey({"organization": key.slug, "day": key.day.isoformat()})


def key(slug: str, on: date = NO_DAY) -> str:
    """`2026-11-20|some-client` or `some-client`, as the UI shows it."""
    return str(to_dagster(PartitionKey(slug, on)))


def parse(text: str) -> PartitionKey:
    """The reverse of `key`. ValueError if the text is not a key."""
    first, separator, slug = text.partition("|")
    if not separator and first:
        return PartitionKey(first)
    if not separator or not slug or "|" in slug:
        raise ValueError(f"not a partition key of day and organization: {text!r}")
    return PartitionKey(slug, date.fromisoformat(first))


def register_organizations(instance: dg.DagsterInstance, slugs: Iterable[str]) -> list[str]:
    """Makes organizations known to Dagster, all new ones in one write; returns the new ones in the given order.

    Never deletes: deleting a dynamic partition that has history breaks Dagster's automation page, and each change of
    the set makes it rebuild every asset's status, so callers collect and register in batches.
    """
    known = set(instance.get_dynamic_partitions("organizations"))
    new = [slug for slug in dict.fromkeys(slugs) if slug not in known]
    for slug in new:
        to_dagster(PartitionKey(slug, date.min))
    if new:
        instance.add_dynamic_partitions("organizations", new)
    return new

"""What the networks, mailboxes, phones and databases have of each Monday, against what they must have: each thing once.

Not here: how it came about.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.stories.report_points import AGENCY
from tests.stories.report_world import ALL, LIFE, WITH_POSTS, World

SUBJECT = "Your week in posts: "
READINGS = """
select (collected_at - interval '6 hours')::date as day, queue_id, count(*) as n
from platform_metrics group by 1, 2
"""
SNAPSHOTS = "select period, period_start, version from analytics_snapshots where period <> 'month'"
REPORTS = """
select week_start, version, (select count(*) from report_files f where f.report_id = r.id) > 0 as has_files
from weekly_reports r
"""
TOLD = """
select event_key, channel, status in ('sent', 'delivered') as is_out from notification_deliveries
where event_key not like 'life:%%'
"""
SHOWN = "select event_key, count(*) as n from notifications where event_key not like 'life:%%' group by 1"


def judge(world: World) -> list[str]:
    """What is not as it must be."""
    wrong = [difference for slug in ALL for difference in _of_client(world, slug)]
    weeks = [str(monday - timedelta(weeks=1)) for monday in world.mondays]
    agency = Counter(f"{row['week_start']} {row['version']}" for row in world.ask(None, "select * from agency_reports"))
    wrong += _differences("the agency's reports", agency, Counter(f"{week} 1" for week in weeks))
    now = datetime.now(UTC) + world.ahead
    due = world.ask(None, "select slug, week_start from app.weeks_due(%s)", now)
    wrong += [f"{row['slug']} has no report of {row['week_start']}" for row in due]
    return [*wrong, *_mailboxes(world), *_phones(world)]


def _of_client(world: World, slug: str) -> list[str]:
    mondays, weeks = world.mondays, [monday - timedelta(weeks=1) for monday in world.mondays]
    posts = 4 * (slug in WITH_POSTS)
    readings = world.ask(slug, READINGS)
    of_day = Counter(str(row["day"]) for row in readings)
    twice = [row for row in readings if row["n"] != 1]
    snapshots = Counter((row["period"], str(row["period_start"]), row["version"]) for row in world.ask(slug, SNAPSHOTS))
    # On Mondays also of the days since the last one, on which nothing ran.
    days = (mondays[-1] - mondays[0]).days + 1
    wanted = [("day", str(mondays[0] + timedelta(days=number - 1)), 1) for number in range(days)]
    wanted += [("week", str(week), 1) for week in weeks]
    reports = Counter((str(row["week_start"]), row["version"], row["has_files"]) for row in world.ask(slug, REPORTS))
    told = Counter((row["event_key"], row["channel"], row["is_out"]) for row in world.ask(slug, TOLD))
    shown = Counter({row["event_key"]: row["n"] for row in world.ask(slug, SHOWN)})
    events = [f"weekly_report:{week}" for week in weeks]
    messages = [(event, channel, True) for event in events for channel in ("email", "in_app", "whatsapp")]
    if slug == AGENCY:
        its_own = [f"agency_report:{week}" for week in weeks]
        messages += [(event, channel, True) for event in its_own for channel in ("email", "in_app")]
        events += its_own
    reading_days = Counter({str(monday): posts * number for number, monday in enumerate(mondays, 1) if posts})
    return [
        *(f"{slug}: {row['n']} readings of one post on {row['day']}" for row in twice),
        *_differences(f"{slug}: posts read", of_day, reading_days),
        *_differences(f"{slug}: snapshots", snapshots, Counter(wanted)),
        *_differences(f"{slug}: reports", reports, Counter((str(week), 1, True) for week in weeks)),
        *_differences(f"{slug}: messages", told, Counter(messages)),
        *_differences(f"{slug}: in the app", shown, Counter(events)),
    ]


def _mailboxes(world: World) -> list[str]:
    """What each reader sees: one mail a week, and the agency's owner one more; a repeated one has its Message-ID."""
    mails = [mail for mail in world.sandbox.public("mail") if mail["subject"] != LIFE]
    count = len(world.mondays)
    found = Counter((mail["recipient"], mail["subject"].startswith(SUBJECT)) for mail in mails)
    wanted = Counter(
        {(f"sales@{slug}.example", True): count for slug in ALL} | {(f"sales@{AGENCY}.example", False): count}
    )
    ids = {(mail["recipient"], mail["subject"]): set[str]() for mail in mails}
    for mail in mails:
        ids[mail["recipient"], mail["subject"]].add(mail["message_id"])
    doubled = [f"mail {key} twice: {sorted(found_ids)}" for key, found_ids in ids.items() if len(found_ids) > 1]
    return [*_differences("mails", found, wanted), *doubled]


def _phones(world: World) -> list[str]:
    """One message a week for each client, as the phones show them; none twice."""
    messages = [one for one in world.sandbox.public("whatsapp") if one["parameters"][0] != "a"]
    doubled = Counter(one["callback_data"] for one in messages)
    found = Counter((one["callback_data"].partition(":")[0]) for one in messages)
    return [
        *(f"WhatsApp {callback} {count} times" for callback, count in doubled.items() if count > 1),
        *_differences("WhatsApp", found, Counter({slug: len(world.mondays) for slug in ALL})),
    ]


def transmissions(world: World) -> int:
    """How often mails were handed to the server, shown or not."""
    return sum(mail["transmissions"] for mail in world.sandbox.public("mail") if mail["subject"] != LIFE)


def _differences(what: str, found: Counter[Any], wanted: Counter[Any]) -> list[str]:
    more, less = found - wanted, wanted - found
    return [f"{what}: {key} {count} too many" for key, count in more.items()] + [
        f"{what}: {key} {count} missing" for key, count in less.items()
    ]

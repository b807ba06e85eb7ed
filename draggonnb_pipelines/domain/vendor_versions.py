"""The versions of other people's software that we stand on, and the days on which they stop working.

Lives here: the register, with where each day was read, and the verdict on the versions that are in use. Not here: which
ones are in use (the settings, the server, the adapters), and who is told (`operations_checks.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

NOTICE = timedelta(days=60)

# Meta's "Versions" page, read on 2026-11-23. None: no end is announced yet. Meta serves a version that has ended by
# the oldest living one, with other fields than were asked for.
GRAPH_VERSIONS: dict[str, date | None] = {
    "v18.0": date(2026, 1, 26),
    "v19.0": date(2026, 5, 21),
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
    "v26.0": None,
}
# Version -> the day on which it stops answering (HTTP 426), as Microsoft Learn's versioning page has it, else by the
# rule of twelve months: mid-month, one year later. 202512 never came.
LINKEDIN_VERSIONS = {
    "202601": date(2027, 1, 15),
    "202602": date(2027, 2, 15),
    "202603": date(2027, 3, 16),
    "202604": date(2027, 4, 15),
    "202605": date(2027, 5, 15),
    "202606": date(2027, 6, 15),
    "202607": date(2027, 7, 15),
    "202610": date(2027, 10, 15),
}
# Models with an end, from the warnings of Anthropic's own library 2.12 and its list of models; a model that is not
# here has none announced. The doctor asks the API itself.
CLAUDE_MODELS = {
    "claude-sonnet-4-0": date(2026, 6, 15),
    "claude-sonnet-4-20250514": date(2026, 6, 15),
    "claude-opus-4-0": date(2026, 6, 15),
    "claude-opus-4-20250514": date(2026, 6, 15),
    "claude-sonnet-4-5": date(2026, 11, 30),
    "claude-sonnet-4-5-20250929": date(2026, 11, 30),
}
# Supabase's changelog: the JWT keys `anon` and `service_role` go at the end of 2026, for `sb_publishable_` and
# `sb_secret_`.
SUPABASE_KEYS = {"legacy": date(2026, 12, 31), "secret": None}
# GitHub's REST documentation: a version is served for 24 months at least after the next one.
GITHUB_VERSIONS = {"2022-11-28": date(2028, 3, 10), "2026-03-10": None}
# n8n's OpenAPI document, 2.41: `activate` and `deactivate` are deprecated, `publish` is what we call; v1 has no end.
N8N_VERSIONS = {"v1": None}
# postgresql.org/support/versioning: the last release of each major version.
POSTGRES_VERSIONS = {
    "14": date(2026, 11, 12),
    "15": date(2027, 11, 11),
    "16": date(2028, 11, 9),
    "17": date(2029, 11, 8),
    "18": date(2030, 11, 14),
}
# github.com/nodejs/Release: the end of life of each long-term release.
NODE_VERSIONS = {"20": date(2026, 4, 30), "22": date(2027, 4, 30), "24": date(2028, 4, 30)}
# What a client's app is checked and built with (`client_template/.github/workflows/deploy.yml`).
CLIENT_NODE = "22"


@dataclass(frozen=True, slots=True)
class InUse:
    """One version that we use.

    Args:
        name: what it is, with its version: `LinkedIn 202607`.
        remedy: what an operator does about its end.
        ends: its last day; None where none is announced.
        is_known: whether the register has it; one that it does not have may have ended already.
    """

    name: str
    remedy: str
    ends: date | None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class VersionsVerdict:
    """What ends within 60 days, has ended, or is not known, in words; empty where all is well."""

    faults: Sequence[str]
    ends: Mapping[str, str]


def verdict_on(used: Iterable[InUse], today: date) -> VersionsVerdict:
    """What of it an operator must see to today."""
    faults, ends = [], {}
    for one in used:
        ends[one.name] = str(one.ends) if one.ends else "no end announced" if one.is_known else "not in our register"
        if not one.is_known:
            faults.append(f"{one.name} is not in our register: {one.remedy}")
        elif one.ends is not None and one.ends <= today:
            faults.append(f"{one.name} ended on {one.ends}: {one.remedy}")
        elif one.ends is not None and one.ends - today < NOTICE:
            faults.append(f"{one.name} ends on {one.ends}, in {(one.ends - today).days} days: {one.remedy}")
    return VersionsVerdict(faults, ends)


def versions_in_use(
    *, linkedin: str, graph: str, claude_model: str, supabase_key: str | None, github: str, postgres: int
) -> list[InUse]:
    """The versions that these settings stand on.

    Args:
        supabase_key: of the media's storage; None where there is none.
        postgres: the server's major version.
    """
    kind = "legacy" if supabase_key is not None and supabase_key.startswith("eyJ") else "secret"
    major = str(postgres)
    return [
        InUse(
            f"LinkedIn {linkedin}",
            f"set DRAGGONNB_LINKEDIN_VERSION to {max(LINKEDIN_VERSIONS)}",
            sunset_of(linkedin),
            is_known=linkedin in LINKEDIN_VERSIONS,
        ),
        InUse(f"Graph {graph}", f"set DRAGGONNB_GRAPH_VERSION to {newest_graph()}", version_ends(graph)),
        InUse(f"model {claude_model}", "set DRAGGONNB_CLAUDE_MODEL", CLAUDE_MODELS.get(claude_model)),
        InUse(
            f"Supabase {kind} key",
            "set DRAGGONNB_STORAGE_KEY to a key that begins with sb_secret_",
            SUPABASE_KEYS[kind],
        ),
        InUse(f"GitHub {github}", "upgrade to a release of ours that speaks a newer one", GITHUB_VERSIONS.get(github)),
        InUse("n8n API v1", "upgrade to a release of ours that speaks a newer one", N8N_VERSIONS["v1"]),
        InUse(
            f"Postgres {major}",
            "move to a newer server: draggonnb backup create --all, then restore there",
            POSTGRES_VERSIONS.get(major),
            is_known=postgres >= int(min(POSTGRES_VERSIONS)),
        ),
        InUse(f"Node {CLIENT_NODE}", "raise it in client_template and at Vercel", NODE_VERSIONS[CLIENT_NODE]),
    ]


def sunset_of(version: str) -> date | None:
    """The day on which LinkedIn stops to answer this API version; None for one that we know nothing of."""
    return LINKEDIN_VERSIONS.get(version)


def version_ends(version: str) -> date | None:
    """The day on which a Graph version such as `v25.0` stops working; None where Meta has announced none.

    A version older than the table ended with its first row at the latest; a newer one has no end that we know.
    """
    if version in GRAPH_VERSIONS:
        return GRAPH_VERSIONS[version]
    oldest = next(iter(GRAPH_VERSIONS))
    return GRAPH_VERSIONS[oldest] if float(version[1:]) < float(oldest[1:]) else None


def newest_graph() -> str:
    """The newest Graph version in the register."""
    return max(GRAPH_VERSIONS, key=lambda version: float(version[1:]))

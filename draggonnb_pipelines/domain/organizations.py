"""An organization: one client of the agency, or the agency itself (slug `draggonnb`)."""

import re
from dataclasses import dataclass, field
from uuid import UUID

AGENCY_SLUG = "draggonnb"
_SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")
# Names of hosts and of routes, and what backups call that which is no client's.
_RESERVED = frozenset(
    {"api", "www", "admin", "app", "docs", "webhook", "webhooks", "proposals", "reviews", "template", "master", "drill"}
)


@dataclass(frozen=True, slots=True)
class Organization:
    """A row of master `organizations`, without its secrets' plain text.

    `database_name` is on the server that `dsn_sealed` leads to, or on the master's where that is None. `dsn_sealed`
    without a name leads to a vendor's database. So a row says all that is needed to open its database.
    """

    id: UUID
    slug: str
    name: str
    status: str
    timezone: str
    locale: str
    database_name: str | None
    dsn_sealed: bytes | None = field(repr=False)
    data_key_wrapped: bytes | None = field(repr=False)

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def is_hosted(self) -> bool:
        """Whether a vendor has its database, and not one of our servers."""
        return self.dsn_sealed is not None and self.database_name is None


def check_slug(slug: str) -> str:
    """Return the slug, or raise ValueError: it becomes a partition key, a host name and a database name."""
    if not 2 <= len(slug) <= 40 or not _SLUG.fullmatch(slug):
        raise ValueError(f"slug {slug!r}: 2 to 40 characters a-z, 0-9 and single inner hyphens")
    if slug in _RESERVED:
        raise ValueError(f"slug {slug!r} is reserved")
    return slug

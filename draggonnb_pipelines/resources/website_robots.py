"""robots.txt after RFC 9309: what we may read of a site, and how fast.

Lives here: fetching and reading the rules of one host. Does not live here: the walk over a site (`websites.py`).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego

from draggonnb_pipelines.resources.http import HttpDoor, PublicFetchError

MAX_BYTES = 512 * 1024  # RFC 9309, 2.5: at least 500 KiB must be read
MAX_CRAWL_DELAY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of one host. `unreachable` is the reason if the host could not be asked; then nothing is allowed."""

    rules: Protego | None
    token: str
    unreachable: PublicFetchError | None = None
    server_error: int | None = None

    def allows(self, url: str) -> bool:
        if self.unreachable or self.server_error:
            return False
        return self.rules is None or self.rules.can_fetch(url, self.token)

    @property
    def crawl_delay_seconds(self) -> float:
        delay = self.rules.crawl_delay(self.token) if self.rules else None
        return min(delay or 0.0, MAX_CRAWL_DELAY_SECONDS)


async def fetch_robots(door: HttpDoor, url: str, *, user_agent: str, timeout_seconds: float) -> Robots:
    """Ask the host of `url` for its rules.

    No file (4xx) allows everything; a server error or silence forbids everything (RFC 9309, 2.3.1); of a file that
    is too large nothing can be known, so it forbids too, as would its first half megabyte in the worst case.
    """
    token = user_agent.partition("/")[0].strip()  # RFC 9309, 2.2.1: rules name the product token only
    parts = urlsplit(url)
    try:
        page = await door.fetch_public(
            f"{parts.scheme}://{parts.netloc}/robots.txt", max_bytes=MAX_BYTES, timeout_seconds=timeout_seconds
        )
    except PublicFetchError as error:
        # More than five redirects may be taken as "no file" (2.3.1.2); a loop shows again on the first page.
        return Robots(None, token, unreachable=None if error.reason == "too_many_redirects" else error)
    if page.status >= 500 or page.status == 429:
        return Robots(None, token, server_error=page.status)
    if not 200 <= page.status < 300:
        return Robots(None, token)
    return Robots(Protego.parse(page.body.decode("utf-8", "replace").lstrip("\ufeff")), token)

"""What LinkedIn counts of an organization's posts.

Lives here: organizationalEntityShareStatistics for lists of posts, and the question whether a post without statistics
is still there. Does not live here: the names of the counts (`domain/metric_registry.py`), the error table
(`linkedin_wire.py`), when a post is measured.
Source: Microsoft Learn, Organization Share Statistics and Posts API (view li-lms-2026-03), Rest.li protocol 2.0.0.

The statistics are organic, of the last twelve months, from the post's first day on. LinkedIn leaves out a post for
which it has none: young, older, or deleted. That is no zero.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from draggonnb_pipelines.domain.metric_answers import no_reading, reading_of
from draggonnb_pipelines.domain.metric_registry import SHARE_STATISTICS, live_sources
from draggonnb_pipelines.domain.metrics import Reading, Readings
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.linkedin_wire import VENDOR, Call, json_of, quoted, unreadable
from draggonnb_pipelines.resources.metric_batches import in_batches, merged, read_batches

BATCH = 20
NO_STATISTICS = "LinkedIn gave no statistics of the post: too young, or older than twelve months"
# The parameter that takes a kind of URN, and the field in which it comes back.
_PARAMETERS = (("share", "shares"), ("ugcPost", "ugcPosts"))
_POST = re.compile(r"urn:li:(share|ugcPost):\d{1,30}")


async def read_linkedin_metrics(
    call: Call, organization: str, post_ids: Sequence[str], *, on: date, version: str
) -> Readings:
    """The counts of an organization's posts.

    Args:
        call: (method, path, **arguments) with the account's headers.
        organization: its URN.
        version: the LinkedIn-Version that `call` sends.

    Raises:
        VendorError: nothing was learned; sorted. PERMISSION: the app lacks rw_organization_admin, or the person who
            connected the page is not its administrator any more.
    """
    kinds = {one: match[1] for one in post_ids if (match := _POST.fullmatch(one))}
    batches = [
        batch
        for kind, _ in _PARAMETERS
        for batch in in_batches([one for one in post_ids if kinds.get(one) == kind], BATCH)
    ]
    readings = await read_batches(batches, _Statistics(call, organization, on=on, version=version).read)
    strange = VendorError(VENDOR, ErrorClass.INPUT, "LinkedIn counts shares and ugcPosts only", code="invalid-id")
    return merged(readings, Readings((), dict.fromkeys((one for one in post_ids if one not in kinds), strange)))


class _Statistics:
    def __init__(self, call: Call, organization: str, *, on: date, version: str) -> None:
        self._call = call
        self._organization = organization
        self._version = version
        self._sources = live_sources(Platform.LINKEDIN, on, version)

    async def read(self, batch: Sequence[str]) -> Readings:
        """Posts of one kind. LinkedIn may refuse a whole list for one post of it: then the halves are asked for."""
        try:
            given = await self._statistics(batch)
        except VendorError as error:
            if error.error_class is not ErrorClass.INPUT:
                raise
            if len(batch) == 1:
                return Readings((), {batch[0]: error}, calls=1)
            middle = len(batch) // 2
            return merged(await read_batches((batch[:middle], batch[middle:]), self.read), Readings((), calls=1))
        absent = [one for one in batch if one not in given]
        gone = await self._gone(absent) if absent else frozenset()
        readings = [
            Reading(one, is_gone=True)
            if one in gone
            else reading_of(one, self._sources, given[one])
            if one in given
            else no_reading(one, self._sources, NO_STATISTICS)
            for one in batch
        ]
        return Readings(tuple(readings), calls=1 + bool(absent), api_version=self._version)

    async def _statistics(self, batch: Sequence[str]) -> dict[str, object]:
        """By post, of those that LinkedIn has statistics for."""
        kind, parameter = next(one for one in _PARAMETERS if batch[0].startswith(f"urn:li:{one[0]}:"))
        response = await self._call(
            "GET",
            f"/rest/organizationalEntityShareStatistics?q=organizationalEntity"
            f"&organizationalEntity={quoted(self._organization)}&{parameter}={_list(batch)}&start=0&count={BATCH}",
            headers={"X-RestLi-Method": "FINDER"},
        )
        elements = json_of(response).get("elements")
        if not isinstance(elements, list):
            raise unreadable("the statistics")
        return {
            element[kind]: element.get(SHARE_STATISTICS)
            for element in elements
            if isinstance(element, dict) and isinstance(element.get(kind), str)
        }

    async def _gone(self, posts: Sequence[str]) -> frozenset[str]:
        """Which of them LinkedIn says not to have (404). Where it does not say, none: the next reading asks again."""
        try:
            if len(posts) == 1:  # a BATCH_GET wants more than one
                await self._call("GET", f"/rest/posts/{quoted(posts[0])}")
                return frozenset()
            path = f"/rest/posts?ids={_list(posts)}"
            body = json_of(await self._call("GET", path, headers={"X-RestLi-Method": "BATCH_GET"}))
        except VendorError as error:
            return frozenset(posts) if error.status == 404 and len(posts) == 1 else frozenset()
        errors = body.get("errors")
        if not isinstance(errors, dict):
            return frozenset()
        return frozenset(one for one in posts if isinstance(errors.get(one), dict) and errors[one].get("status") == 404)


def _list(urns: Iterable[str]) -> str:
    """Rest.li's List: its own parentheses and commas bare, those of the URNs encoded."""
    return f"List({','.join(map(quoted, urns))})"

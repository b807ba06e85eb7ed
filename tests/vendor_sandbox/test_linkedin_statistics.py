"""LinkedIn's share statistics of the sandbox: which lists it takes, which posts it has numbers for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox

FINDER = "/rest/organizationalEntityShareStatistics?q=organizationalEntity"
PAGE = "&organizationalEntity=urn%3Ali%3Aorganization%3A5551"
FIRST, SECOND = "urn:li:share:16", "urn:li:share:32"
BOTH = "List(urn%3Ali%3Ashare%3A16,urn%3Ali%3Ashare%3A32)"


def ask(sandbox: Sandbox, path: str, *, token: str = "sandbox-5551", **headers: str) -> httpx.Response:
    sent = {
        "authorization": f"Bearer {token}",
        "linkedin-version": "202607",
        "x-restli-protocol-version": "2.0.0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return httpx.get(f"{sandbox.url}/linkedin{path}", headers=sent)


def posted(sandbox: Sandbox, *urns: str, days: float = 2, **numbers: int) -> None:
    for urn in urns:
        sandbox.social_post("linkedin", urn, "5551", datetime.now(UTC) - timedelta(days=days))
        sandbox.social_numbers(urn, **numbers)


def shown(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return [element["share"] for element in answer.json()["elements"]]


def test_an_element_has_the_counts_of_one_post(sandbox: Sandbox):
    posted(sandbox, FIRST, views=200, reach=150, reactions=8, comments=1, shares=0, clicks=11)

    answer = ask(sandbox, f"{FINDER}{PAGE}&shares=List(urn%3Ali%3Ashare%3A16)")

    assert answer.json() == {
        "paging": {"start": 0, "count": 10, "links": []},
        "elements": [
            {
                "organizationalEntity": "urn:li:organization:5551",
                "share": FIRST,
                "totalShareStatistics": {
                    "impressionCount": 200,
                    "uniqueImpressionsCount": 150,
                    "likeCount": 8,
                    "commentCount": 1,
                    "shareCount": 0,
                    "clickCount": 11,
                    "sparkle_count": 7,
                    "engagement": 0.1,
                },
            }
        ],
    }


@pytest.mark.parametrize(
    "query",
    [
        PAGE,
        f"{PAGE}&shares={BOTH}&ugcPosts={BOTH}",
        f"{PAGE}&shares={BOTH.replace('(', '%28').replace(')', '%29')}",
        f"{PAGE}&shares=List(urn:li:share:16)",
        f"{PAGE}&shares=List()",
        f"{PAGE}&shares=urn%3Ali%3Ashare%3A16",
        f"{PAGE}&ugcPosts={BOTH}",
        f"{PAGE}&shares=List(urn%3Ali%3AugcPost%3A16)",
    ],
)
def test_a_list_that_rest_li_does_not_understand_is_refused_whole(sandbox: Sandbox, query: str):
    posted(sandbox, FIRST, SECOND)

    answer = ask(sandbox, FINDER + query)

    assert (answer.status_code, answer.json()["code"]) == (400, "ILLEGAL_ARGUMENT")


def test_only_an_administrator_of_the_page_reads_its_statistics(sandbox: Sandbox):
    posted(sandbox, FIRST)
    sandbox.social_account("linkedin", "5551", "author", scopes=["r_organization_social", "w_organization_social"])
    sandbox.social_account("linkedin", "5551", "admin", scopes=["rw_organization_admin"])
    path = f"{FINDER}{PAGE}&shares=List(urn%3Ali%3Ashare%3A16)"

    assert shown(ask(sandbox, path, token="admin")) == [FIRST]
    assert ask(sandbox, path, token="author").json()["code"] == "ACCESS_DENIED"
    assert ask(sandbox, path, token="sandbox-77").status_code == 403
    assert ask(sandbox, path, token="nobody").status_code == 401
    assert ask(sandbox, path, linkedin_version="202511").status_code == 426


def test_the_post_of_another_page_spoils_the_list(sandbox: Sandbox):
    posted(sandbox, FIRST)
    sandbox.social_post("linkedin", SECOND, "77", datetime.now(UTC) - timedelta(days=1))

    answer = ask(sandbox, f"{FINDER}{PAGE}&shares={BOTH}")

    assert answer.status_code == 403
    assert answer.json()["message"].endswith("Data Processing Exception while processing fields [/shares[1]]")


def test_posts_that_nobody_saw_that_are_deleted_or_over_a_year_old_have_no_element(sandbox: Sandbox):
    posted(sandbox, FIRST, "urn:li:share:48", "urn:li:share:64")
    posted(sandbox, SECOND, days=366)
    sandbox.social_numbers("urn:li:share:48", views=0)
    httpx.delete(
        f"{sandbox.url}/linkedin/rest/posts/urn%3Ali%3Ashare%3A64",
        headers={
            "authorization": "Bearer sandbox-5551",
            "linkedin-version": "202607",
            "x-restli-protocol-version": "2.0.0",
        },
    ).raise_for_status()
    numbers = ",".join(f"urn%3Ali%3Ashare%3A{number}" for number in (16, 32, 48, 64, 80))

    assert shown(ask(sandbox, f"{FINDER}{PAGE}&shares=List({numbers})")) == [FIRST]


def test_ten_elements_make_a_page_unless_more_are_asked_for(sandbox: Sandbox):
    urns = [f"urn:li:share:{number}" for number in range(100, 112)]
    posted(sandbox, *urns)
    path = f"{FINDER}{PAGE}&shares=List({','.join(urn.replace(':', '%3A') for urn in urns)})"

    assert shown(ask(sandbox, path)) == urns[:10]
    assert shown(ask(sandbox, f"{path}&start=0&count=20")) == urns


def test_faults_spoil_the_counts_once(sandbox: Sandbox):
    posted(sandbox, FIRST, SECOND, views=200, reach=150)
    kinds = ("counts_null", "counts_text", "counts_last_year", "counts_half")
    sandbox.faults("GET /linkedin/rest/organizationalEntityShareStatistics", *({"kind": kind} for kind in kinds))

    def counts() -> list[dict[str, Any]]:
        elements = ask(sandbox, f"{FINDER}{PAGE}&shares={BOTH}").json()["elements"]
        return [element["totalShareStatistics"] for element in elements]

    assert [one["impressionCount"] for one in counts()] == [None, None]
    assert [one["impressionCount"] for one in counts()] == ["200", "200"]
    assert [(one.get("uniqueImpressionsCount"), one.get("uniqueImpressionsCounts")) for one in counts()] == [
        (None, 150)
    ] * 2
    assert len(counts()) == 1
    assert [one["uniqueImpressionsCount"] for one in counts()] == [150, 150]


def test_several_posts_are_read_at_once_with_a_status_for_each_that_is_not_there(sandbox: Sandbox):
    posted(sandbox, FIRST)
    sandbox.social_post("linkedin", SECOND, "77", datetime.now(UTC))
    path = "/rest/posts?ids=List(urn%3Ali%3Ashare%3A16,urn%3Ali%3Ashare%3A32,urn%3Ali%3Ashare%3A48)"

    answer = ask(sandbox, path, x_restli_method="BATCH_GET").json()

    assert [result["id"] for result in answer["results"].values()] == [FIRST]
    assert answer["statuses"] == {SECOND: 403, "urn:li:share:48": 404}
    assert {urn: one["status"] for urn, one in answer["errors"].items()} == answer["statuses"]
    assert ask(sandbox, path).status_code == 400
    assert ask(sandbox, path.replace("(", "%28").replace(")", "%29"), x_restli_method="BATCH_GET").status_code == 400

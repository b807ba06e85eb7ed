"""GitHub: clients' repositories from the template to the archive, their files, secrets, variables, topics.

Lives here: the adapter's verbs. Does not live here: many files as one commit (`github_commits.py`), the types and the
error table (`github_wire.py`), what is made when (`workflows/`).
Sources: GitHub's OpenAPI description, version 2022-11-28; docs.github.com "Encrypting secrets for the REST API".
"""

import base64
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nacl.encoding import Base64Encoder
from nacl.public import PublicKey as SealingKey
from nacl.public import SealedBox

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import Sort, read
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.github_commits import commit_files
from draggonnb_pipelines.resources.github_wire import (
    API_VERSION,
    ARCHIVED,
    RIGHTS,
    VENDOR,
    Branch,
    PublicKey,
    Repository,
    sorter,
)
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.public_pages import utc_now

PAGE_SIZE = 100
_MOVED = (301, 302, 307, 308)


class GitHub:
    """Repositories of whomever the token may write for. Calls of one repository go one after the other: GitHub's limits
    and its own consistency want that.

    Args:
        base_url: of the API.
        token: of an app's installation or a person; it needs Administration, Contents, Secrets, Variables, Workflows.
    """

    def __init__(self, door: HttpDoor, *, base_url: str, token: str, now: Callable[[], datetime] = utc_now) -> None:
        self._door = door
        self._base = base_url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
        }
        self._retrying = sorter(unknown=ErrorClass.RETRY, now=now)
        self._once = sorter(unknown=ErrorClass.AMBIGUOUS, now=now)

    async def repo(self, owner: str, name: str) -> Repository | None:
        """A repository, also one that was renamed since (`full_name` tells); None where there is none, or none that the
        token may see. This is how a creation with an unknown outcome is settled: `template` and `topics` say whether it
        is ours."""
        try:
            answer = await self._call("GET", _path(owner, name))
        except VendorError as error:
            if error.status == 404:
                return None
            raise
        return read(VENDOR, Repository, answer)

    async def check_access(self, owner: str, template: str) -> None:
        """The token sees the owner's repositories and the template; of one of the owner's also the key of its secrets.

        Raises:
            VendorError: CONFIG, owner or template cannot be seen, or it is no template; AUTH or PERMISSION, saying
                where rights are given; others as sorted.
        """
        try:
            await self._call("GET", f"/orgs/{quote(owner, safe='')}/repos?per_page=1")
        except VendorError as error:
            if error.status != 404:
                raise
            raise VendorError(
                VENDOR, ErrorClass.CONFIG, f"the organization {owner} cannot be seen: {RIGHTS}", status=404
            ) from error
        holder, _, name = template.partition("/")
        repo = await self.repo(holder, name)
        if repo is None or repo.is_template is False:
            raise VendorError(VENDOR, ErrorClass.CONFIG, f"{template} cannot be seen or is no template: {RIGHTS}")
        if holder.lower() == owner.lower():
            await self._call("GET", f"{_path(holder, name)}/actions/secrets/public-key")

    async def list_repos(self, owner: str) -> list[Repository]:
        """All repositories of an organization that the token may see, archived ones too.

        Raises:
            VendorError: not everything could be read, so nothing can be said. INPUT with status 404, `owner` is no
                organization, or not visible.
        """
        found: dict[int, Repository] = {}
        page = 1
        while True:
            query = f"type=all&sort=created&direction=asc&per_page={PAGE_SIZE}&page={page}"
            answer = await self._call("GET", f"/orgs/{quote(owner, safe='')}/repos?{query}")
            found |= {repo.id: repo for repo in read(VENDOR, list[Repository], answer)}
            if 'rel="next"' not in answer.headers.get("link", ""):
                return list(found.values())
            page += 1

    async def create_from_template(
        self, template: str, owner: str, name: str, *, description: str = "", private: bool = True
    ) -> Repository:
        """Make a repository from a template's default branch. Called once; its files arrive later: see `branch`.

        Args:
            template: "owner/name" of a repository that is marked as a template.

        Raises:
            VendorError: AMBIGUOUS, there may be one: `repo` tells. DUPLICATE, the name is taken (`existing_id`).
                CONFIG, the template cannot be seen or is none.
        """
        body = {"owner": owner, "name": name, "description": description, "private": private}
        try:
            answer = await self._call(
                "POST", f"/repos/{quote(template)}/generate", json=body, idempotent=False, sort=self._once, attempts=1
            )
        except VendorError as error:
            if error.error_class is ErrorClass.DUPLICATE:
                error.existing_id = f"{owner}/{name}"
            if error.status == 404:
                raise VendorError(
                    VENDOR, ErrorClass.CONFIG, f"{template} cannot be seen or is no template", status=404
                ) from error
            raise
        return read(VENDOR, Repository, answer, missing=ErrorClass.AMBIGUOUS)

    async def branch(self, owner: str, name: str, branch: str) -> Branch | None:
        """A branch; None where there is none, as in the first seconds of a repository that was made from a template.
        Never waits: who wants the branch asks again."""
        try:
            answer = await self._call("GET", f"{_path(owner, name)}/branches/{quote(branch)}", sort=self._sort_branch)
        except VendorError as error:
            if error.status in (404, 409):
                return None
            raise
        return read(VENDOR, Branch, answer)

    async def commit_files(self, owner: str, name: str, branch: str, files: Mapping[str, bytes], message: str) -> str:
        """Put files on a branch as one commit, or none where all are there; see `github_commits.commit_files`."""
        return await commit_files(self._call, f"{_path(owner, name)}/git", branch, files, message)

    async def put_secret(self, owner: str, name: str, secret: str, value: str) -> None:
        """Set a secret of the repository's Actions, new or not. It can never be read back."""
        actions = f"{_path(owner, name)}/actions/secrets"
        key = read(VENDOR, PublicKey, await self._call("GET", f"{actions}/public-key"))
        body = {"encrypted_value": seal(key.key, value), "key_id": key.key_id}
        await self._call("PUT", f"{actions}/{quote(secret)}", json=body)

    async def put_variable(self, owner: str, name: str, variable: str, value: str) -> None:
        """Set a variable of the repository's Actions, new or not."""
        actions, body = f"{_path(owner, name)}/actions/variables", {"name": variable, "value": value}
        try:
            await self._call("POST", actions, json=body)
        except VendorError as error:
            if error.error_class is not ErrorClass.DUPLICATE:
                raise
            await self._call("PATCH", f"{actions}/{quote(variable)}", json=body)

    async def set_topics(self, owner: str, name: str, topics: Collection[str]) -> None:
        """Replace the topics by these, in small letters; `repo` reads them."""
        await self._call("PUT", f"{_path(owner, name)}/topics", json={"names": sorted(topics)})

    async def archive(self, owner: str, name: str) -> None:
        """Make the repository read-only; one that is so already is as good."""
        try:
            await self._call("PATCH", _path(owner, name), json={"archived": True})
        except VendorError as error:
            if error.code != ARCHIVED:
                raise

    async def unarchive(self, owner: str, name: str) -> None:
        """Let an archived repository be written to again; one that is not archived is as good."""
        await self._call("PATCH", _path(owner, name), json={"archived": False})

    async def delete(self, owner: str, name: str) -> None:
        """Delete the repository for ever; one that is gone is as good. GitHub also says 404 where the token may not
        see it."""
        try:
            await self._call("DELETE", _path(owner, name))
        except VendorError as error:
            if error.status != 404:
                raise

    async def _call(self, method: str, path: str, **arguments: Any) -> Answer:
        """`path` from /repos on, encoded. A GET follows one redirect, inside the API: a renamed repository has an
        address by its number."""
        answer = await self._send(method, f"{self._base}{path}", **arguments)
        place = answer.headers.get("location", "")
        if answer.status_code not in _MOVED:
            return answer
        if method == "GET" and place.startswith(f"{self._base}/"):
            answer = await self._send(method, place, **arguments)
        if answer.status_code in _MOVED:
            raise VendorError(VENDOR, ErrorClass.INPUT, "the repository was renamed", status=answer.status_code)
        return answer

    async def _send(self, method: str, url: str, *, sort: Sort | None = None, **arguments: Any) -> Answer:
        verdict = sort or self._retrying
        arguments = {"idempotent": True} | arguments
        return await self._door.call(
            VENDOR,
            method,
            url,
            headers=self._headers,
            sort=lambda answer: None if answer.status_code in _MOVED else verdict(answer),
            **arguments,
        )

    def _sort_branch(self, answer: Answer) -> VendorError | None:
        """A repository that is still copied is an answer here, not a reason to call again."""
        if answer.status_code == 409:
            return VendorError(VENDOR, ErrorClass.INPUT, "the repository is empty", status=409)
        return self._retrying(answer)


def seal(public_key: str, value: str) -> str:
    """A value as only the repository can read it: base64 of a libsodium sealed box. Random: nothing to compare.

    Args:
        public_key: base64 of 32 bytes.
    """
    box = SealedBox(SealingKey(public_key.encode(), Base64Encoder))
    return base64.b64encode(box.encrypt(value.encode())).decode()


def _path(owner: str, name: str) -> str:
    return f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"

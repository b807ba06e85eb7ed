"""Many files as one commit on GitHub, by its Git database.

Lives here: comparing with what is there, blobs, tree, commit, moving the branch. Does not live here: repositories and
the rest (`github.py`), the error table (`github_wire.py`).
Sources: docs.github.com "REST API endpoints for Git database", Pro Git §10.2 (object names).
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.answers import read
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.github_wire import NOT_FAST_FORWARD, VENDOR, Call

REBUILDS = 5
# A text goes inside the tree's own call: GitHub counts calls that make something (80 a minute), and a client's app has
# more files than that.
INLINE_BYTES = 100_000
_FILE_MODE = "100644"


async def commit_files(call: Call, git: str, branch: str, files: Mapping[str, bytes], message: str) -> str:
    """Put the files on the branch as one commit; where all are there already, as none. May be repeated at will.

    1. Read the head and its tree. 2. Upload what differs. 3. Make tree and commit on that head. 4. Move the branch,
    never by force: when somebody else moved it meanwhile, start again.

    Args:
        git: path of the repository's Git database, such as /repos/owner/name/git.
        files: path -> content; other files stay, and so does an existing file's mode.

    Returns:
        The commit at which the branch holds the files.

    Raises:
        VendorError: RETRY, somebody kept moving the branch, or the repository is still empty; else sorted.
    """
    for _ in range(REBUILDS):
        head = _sha(await call("GET", f"{git}/ref/heads/{quote(branch)}"), "object")
        base = _sha(await call("GET", f"{git}/commits/{head}"), "tree")
        entries = await _entries(call, git, base, files)
        if not entries:
            return head
        tree = _sha(await call("POST", f"{git}/trees", json={"base_tree": base, "tree": entries}))
        if tree == base:
            return head
        commit = _sha(await call("POST", f"{git}/commits", json={"message": message, "tree": tree, "parents": [head]}))
        if await _moved(call, git, branch, commit):
            return commit
    raise VendorError(VENDOR, ErrorClass.RETRY, f"the branch moved {REBUILDS} times under the commit")


async def _entries(call: Call, git: str, base: str, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What the new tree changes. A listing that GitHub cut short only costs uploads: names follow from contents."""
    listing = read(VENDOR, list[dict[str, Any]], await call("GET", f"{git}/trees/{base}?recursive=1"), below="tree")
    there = {entry.get("path"): entry for entry in listing if entry.get("type") == "blob"}
    entries: list[dict[str, Any]] = []
    for path, content in sorted(files.items()):
        known = there.get(path, {})
        if known.get("sha") == blob_sha(content):
            continue
        entry = {"path": path, "mode": known.get("mode", _FILE_MODE), "type": "blob"}
        text = _inline(content)
        entries.append(entry | ({"content": text} if text is not None else {"sha": await _blob(call, git, content)}))
    return entries


async def _blob(call: Call, git: str, content: bytes) -> str:
    body = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
    return _sha(await call("POST", f"{git}/blobs", json=body))


async def _moved(call: Call, git: str, branch: str, commit: str) -> bool:
    """Whether the branch went to the commit. A repeated call finds it there, so a lost answer costs nothing."""
    try:
        await call("PATCH", f"{git}/refs/heads/{quote(branch)}", json={"sha": commit, "force": False})
    except VendorError as error:
        if error.code != NOT_FAST_FORWARD:
            raise
        return False
    return True


def blob_sha(content: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _inline(content: bytes) -> str | None:
    if len(content) > INLINE_BYTES or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _sha(answer: Answer, below: str | None = None) -> str:
    body = read(VENDOR, dict[str, Any], answer, below=below)
    sha = body.get("sha")
    if not isinstance(sha, str) or not sha:
        raise VendorError(VENDOR, ErrorClass.RETRY, "an answer without a sha", status=answer.status_code)
    return sha

"""The memory of the sandbox's GitHub: repositories with their branches, topics, secrets and variables.

Lives here: what a repository is, how a copy of a template fills, the one template that is there from the start. Does
not live here: Git's objects (`github_git.py`), the API (`github.py`, `github_data.py`, `github_actions.py`).
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nacl.public import PrivateKey

from vendor_sandbox.github_git import FILE, Objects

TEMPLATE = "draggonnb/client-template"
# Enough of a template for whoever does not build it.
_SMALL_TEMPLATE = {
    "README.md": b"# Client template\n\nThe dashboard of one client.\n",
    "package.json": b'{"name": "client-template", "private": true, "dependencies": {"next": "16.0.0"}}\n',
    "app/page.tsx": b"export default function Page() {\n  return <h1>{process.env.NEXT_PUBLIC_NAME}</h1>;\n}\n",
    ".github/workflows/ci.yml": b"name: ci\non: [push]\njobs: {}\n",
}


@dataclass
class Repo:
    """One repository. Until `ready_from` (monotonic seconds) its copy of the template has not arrived."""

    id: int
    owner: str
    name: str
    template: str | None = None
    is_template: bool = False
    is_private: bool = True
    description: str = ""
    ready_from: float = 0.0
    is_archived: bool = False
    topics: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    objects: Objects = field(default_factory=Objects)
    branches: dict[str, str] = field(default_factory=dict)
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    pending: dict[str, bytes] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def key_id(self) -> str:
        return str(568_250_167_242_549_743 + self.id)

    @property
    def is_empty(self) -> bool:
        """Whether the copy has not arrived; the first one to ask after its time brings it in."""
        if self.pending and time.monotonic() >= self.ready_from:
            files, self.pending = self.pending, {}
            self.commit("main", files, "Initial commit")
        return not self.branches

    def commit(self, branch: str, files: Mapping[str, bytes], message: str) -> str:
        """Put files on a branch, as somebody at a keyboard does."""
        head = self.branches.get(branch)
        there = self.objects.files(self.objects.commits[head].tree) if head else {}
        there |= {path: (FILE, self.objects.add_blob(content)) for path, content in files.items()}
        tree = self.objects.add_tree(there)
        commit = self.objects.add_commit(tree, (head,) if head else (), message, datetime.now(UTC))
        self.branches[branch] = commit.sha
        return commit.sha

    def files(self) -> dict[str, bytes]:
        return {} if self.is_empty else self.objects.contents(self.branches["main"])

    def public(self) -> dict[str, Any]:
        """As /_sandbox/public shows it: files and secrets in plain, so that a test can see what arrived."""
        files = self.files()
        return {
            "kind": "github",
            "id": self.id,
            "full_name": self.full_name,
            "template": self.template,
            "archived": self.is_archived,
            "topics": self.topics,
            "head": self.branches.get("main"),
            "commits": self.log(),
            "files": {path: as_text(content) for path, content in files.items()},
            "secrets": dict(self.secrets),
            "variables": dict(self.variables),
            "at": self.at.isoformat(),
        }

    def log(self) -> list[str]:
        """Messages from the first commit of the branch to its head."""
        messages: list[str] = []
        sha = self.branches.get("main")
        while sha:
            commit = self.objects.commits[sha]
            messages.insert(0, commit.message)
            sha = commit.parents[0] if commit.parents else None
        return messages


class GitHubMemory:
    """All repositories by number, where names of renamed ones lead, and how often each token called."""

    def __init__(self, template: Mapping[str, bytes] | None = None) -> None:
        self.template = template or _SMALL_TEMPLATE
        self.repos: dict[int, Repo] = {}
        self.old_names: dict[str, int] = {}
        self.windows: dict[str, tuple[float, int]] = {}
        # From the clock, so that a sandbox that is started again gives no number a second time.
        self.last_id = int(time.time()) - 1_700_000_000
        self.clear()

    def find(self, owner: str, name: str) -> Repo | None:
        """By owner and name, whatever the case."""
        wanted = f"{owner}/{name}".lower()
        return next((repo for repo in self.repos.values() if repo.full_name.lower() == wanted), None)

    def add(self, owner: str, name: str, **details: Any) -> Repo:
        self.last_id += 1
        repo = Repo(700_000_000 + self.last_id, owner, name, **details)
        self.repos[repo.id] = repo
        self.old_names.pop(repo.full_name.lower(), None)
        return repo

    def count_call(self, token: str, window_seconds: float = 3600.0) -> tuple[int, int]:
        """Count one call; how many the window has now, and when it ends in seconds since 1970."""
        ends, count = self.windows.get(token, (0.0, 0))
        now = time.time()
        if now >= ends:
            ends, count = now + window_seconds, 0
        self.windows[token] = ends, count + 1
        return count + 1, int(ends)

    def public(self) -> list[dict[str, Any]]:
        return [repo.public() for repo in self.repos.values()]

    def clear(self) -> None:
        """Forget everything but the template. Numbers go on."""
        self.repos.clear()
        self.old_names.clear()
        self.windows.clear()
        template = self.add(*TEMPLATE.split("/"), is_template=True, description="What every client starts from")
        template.commit("main", self.template, "Start")


def as_text(content: bytes) -> str:
    """As `public` shows a file: base64 where it is no text."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(content).decode()}"

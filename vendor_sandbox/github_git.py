"""Git's objects, as the sandbox's GitHub keeps them: blobs, trees, commits, each under the SHA-1 of what it is.

Lives here: encoding objects as Git does, trees from and to flat lists of paths. Does not live here: repositories and
branches (`github_repos.py`), the API (`github_data.py`).
Sources: Pro Git §10.2; git's own `base_name_compare` (a folder sorts as if its name ended in a slash).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

FILE, EXECUTABLE, LINK, FOLDER = "100644", "100755", "120000", "40000"
MODES = frozenset({FILE, EXECUTABLE, LINK, "040000", "160000"})


@dataclass(frozen=True)
class Commit:
    """One commit; `sha` names it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    message: str
    at: datetime


@dataclass
class Objects:
    """All objects of one repository. A tree is kept as name -> (mode, sha)."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def add_blob(self, content: bytes) -> str:
        sha = _name("blob", content)
        self.blobs[sha] = content
        return sha

    def add_tree(self, files: dict[str, tuple[str, str]]) -> str:
        """The tree of flat paths, with the trees below it.

        Args:
            files: path -> (mode, sha of the blob).
        """
        entries: dict[str, tuple[str, str]] = {}
        below: dict[str, dict[str, tuple[str, str]]] = {}
        for path, entry in files.items():
            first, _, rest = path.partition("/")
            if rest:
                below.setdefault(first, {})[rest] = entry
            else:
                entries[first] = entry
        entries |= {name: (FOLDER, self.add_tree(inside)) for name, inside in below.items()}
        names = sorted(entries, key=lambda name: (name + "/" if entries[name][0] == FOLDER else name).encode())
        body = b"".join(f"{entries[name][0]} {name}\0".encode() + bytes.fromhex(entries[name][1]) for name in names)
        sha = _name("tree", body)
        self.trees[sha] = {name: entries[name] for name in names}
        return sha

    def add_commit(self, tree: str, parents: tuple[str, ...], message: str, at: datetime) -> Commit:
        """The commit of a tree, made by the sandbox itself."""
        who = f"sandbox <sandbox@github.example> {int(at.timestamp())} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
        sha = _name("commit", ("\n".join(lines) + "\n\n" + message).encode())
        commit = Commit(sha, tree, parents, message, at)
        self.commits[sha] = commit
        return commit

    def files(self, tree: str, prefix: str = "") -> dict[str, tuple[str, str]]:
        """The inverse of `add_tree`: path -> (mode, sha of the blob)."""
        found: dict[str, tuple[str, str]] = {}
        for name, (mode, sha) in self.trees[tree].items():
            found |= self.files(sha, f"{prefix}{name}/") if mode == FOLDER else {prefix + name: (mode, sha)}
        return found

    def contents(self, commit: str) -> dict[str, bytes]:
        """All files of a commit."""
        return {path: self.blobs[sha] for path, (_, sha) in self.files(self.commits[commit].tree).items()}

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether a branch may go from the old commit to the new one without losing anything."""
        waiting, seen = [new], set[str]()
        while waiting:
            sha = waiting.pop()
            if sha == old:
                return True
            if sha not in seen and sha in self.commits:
                seen.add(sha)
                waiting.extend(self.commits[sha].parents)
        return False


def _name(kind: str, body: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest()

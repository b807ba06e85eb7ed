"""What the template repository of the sandbox's GitHub holds, where a folder of this machine is to be it.

Lives here: reading the folder as its next commit would have it. Does not live here: copying a template into a
repository (`github.py`, `github_repos.py`).
"""

import subprocess
from pathlib import Path


def files_of(folder: Path) -> dict[str, bytes]:
    """The folder's files by their path below it, all that Git tracks or would add.

    Raises:
        subprocess.CalledProcessError: the folder is in no work tree of Git.
    """
    # Of a checkout that another user made, too: only its list of names is read.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    # One that is tracked may be deleted.
    return {path: (folder / path).read_bytes() for path in sorted(listed.split("\0")) if (folder / path).is_file()}

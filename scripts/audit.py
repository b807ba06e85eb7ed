"""Known vulnerabilities in what the lock files install: `make audit`.

Lives here: asking OSV.dev about `uv.lock` and npm's registry about the client's app. Both need the network: a service
that does not answer fails the audit, and is never an all-clear. Standard library only, as `bootstrap.py`.
"""

import shutil
import subprocess
import sys

from bootstrap import ROOT, SetupError, find_uv, uv_environment


def audits(uv):
    """What is asked, by lock file: a command and where it runs."""
    return {
        "uv.lock": ([uv, "audit", "--frozen", "--preview-features", "audit-command"], ROOT),
        "client_template/package-lock.json": ([npm(), "audit", "--package-lock-only"], ROOT / "client_template"),
    }


def npm():
    found = shutil.which("npm")
    if found is None:
        raise SetupError("there is no npm on PATH: install Node.js 20 or later, or the client's app is not audited")
    return found


def main():
    try:
        uv = find_uv()
        environment = uv_environment(uv)
        failed = []
        for lock, (command, folder) in audits(uv).items():
            print(f"{lock}: {' '.join(command[1:])}", flush=True)
            if subprocess.run(command, cwd=str(folder), env=environment).returncode != 0:
                failed.append(lock)
    except (SetupError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if failed:
        print(f"error: not clean, or could not be asked about: {', '.join(failed)} (see above)", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

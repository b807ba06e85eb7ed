"""A process that publishes measures itself; whoever started it reads the figures from its last line.

Linux: the peak is VmHWM, since ru_maxrss starts with what the parent had. Not here: what is published.
"""

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Measured:
    """One drain: from the first look for due posts until the last is recorded; before it, the start of the process."""

    published: int
    seconds: float
    cpu_seconds: float
    start_cpu_seconds: float
    peak_mib: float


def tell(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run `work`, which returns how many posts it published, and print its figures."""
    start_cpu, started = cpu_seconds(), time.monotonic()
    published = uvloop.run(work())
    measured = Measured(published, time.monotonic() - started, cpu_seconds() - start_cpu, start_cpu, peak_mib())
    print(json.dumps(asdict(measured)))


def ask(module: str, environment: Mapping[str, str], *arguments: str) -> Measured:
    """Run a module that calls `tell` in a process of its own.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr[-2000:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mib() -> float:
    found = _PEAK.search(Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024

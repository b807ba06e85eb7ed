"""What the processes of a running stack cost: CPU, also of those that ended meanwhile, and the most memory of one.

Linux only in its exactness: an ended child's CPU is in its parent's account once the parent has waited for it.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

from tests.stories.killer import is_run_worker
from tests.stories.system import System

SAMPLE_SECONDS = 0.5
WORKERS = "run worker"
POSTGRES = "postgres"
SANDBOX = "sandbox"
_MIB = 1024 * 1024


@dataclass
class Cost:
    """Of all processes of one kind; `peak_mib` is the resident memory of the largest one at its largest."""

    cpu_seconds: float = 0.0
    peak_mib: float = 0.0


class Costs:
    """Measures between `with` and its end."""

    def __init__(self, system: System) -> None:
        self._own = {
            process.name: psutil.Process(process.child.pid) for process in system.running.processes if process.child
        }
        self._postmaster = postmaster(system)
        self._peaks: dict[str, float] = {}
        self._by_worker: dict[int, float] = {}
        self._workers_before: dict[int, float] = {}
        self._before: dict[str, float] = {}
        self._after: dict[str, float] = {}
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="costs", daemon=True)

    def __enter__(self) -> Self:
        self._before = self._cpu()
        self._workers_before = {one.pid: used(one) for one in self._own["code server"].children()}
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()
        self._after = self._cpu()

    def by_kind(self) -> dict[str, Cost]:
        return {kind: Cost(self._after[kind] - self._before[kind], self._peaks.get(kind, 0.0)) for kind in self._after}

    def by_worker(self) -> dict[int, float]:
        """CPU seconds of each run worker that was seen, by its process id, without its last half second."""
        before = self._workers_before
        return {pid: seconds - before.get(pid, 0.0) for pid, seconds in self._by_worker.items()}

    def shares_now(self) -> dict[str, float]:
        """MiB of memory of all processes of each kind; what several share is counted once (PSS). Linux only."""
        found: dict[str, float] = {}
        for kind, process in self._living():
            with contextlib.suppress(psutil.Error):
                found[kind] = found.get(kind, 0.0) + process.memory_full_info().pss / _MIB
        return found

    def _cpu(self) -> dict[str, float]:
        """CPU seconds so far. What the code server's and Postgres' children used counts as theirs, ended or not."""
        seconds = {name: used(process) for name, process in self._own.items()}
        seconds[WORKERS] = used_by_children(self._own["code server"])
        seconds[POSTGRES] = used(self._postmaster) + used_by_children(self._postmaster)
        return seconds

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for kind, process in self._living():
                with contextlib.suppress(psutil.NoSuchProcess):
                    self._peaks[kind] = max(self._peaks.get(kind, 0.0), process.memory_info().rss / _MIB)
                    if kind == WORKERS:
                        self._by_worker[process.pid] = used(process)

    def _living(self) -> Iterator[tuple[str, psutil.Process]]:
        yield from self._own.items()
        yield from ((WORKERS, child) for child in self._own["code server"].children() if is_run_worker(child))
        yield from ((POSTGRES, child) for child in [self._postmaster, *self._postmaster.children()])


def postmaster(system: System) -> psutil.Process:
    """The server's first process; its pid is in the first line of postmaster.pid."""
    [row] = system.master("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid")
    return psutil.Process(row["pid"])


def used(process: psutil.Process) -> float:
    """CPU seconds, user and system."""
    times = process.cpu_times()
    return times.user + times.system


def used_by_children(process: psutil.Process) -> float:
    """CPU seconds of the children, those that ended included."""
    times = process.cpu_times()
    living = 0.0
    for child in process.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            living += used(child)
    return times.children_user + times.children_system + living

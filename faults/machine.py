"""What happens to a machine: processes that die, stand still or do not come up, a full disk, a wrong clock, no DNS.

Not here: Postgres (`database.py`), what a vendor does (`vendors.py`), wrong settings (`settings.py`).
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from faults.catalogue import Skipped, fault
from faults.scene import Scene
from faults.telling import Told, failed_run, health, inbox, listen, up, verb, watch

AGAIN = "nothing: it is started again"
NEXT_RUN = "nothing: the next run takes up what the dead one held"
AHEAD_SECONDS = 3 * 3600
# What a process sees as the time of day, moved ahead; libc's callers are Python, libpq and OpenSSL alike.
CLOCK_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    if (!failed && id == CLOCK_REALTIME) at->tv_sec += AHEAD;
    return failed;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


@fault("api-killed", done="SIGKILL to the API while webhooks come in", operator=AGAIN)
def api_killed(scene: Scene) -> Told:
    scene.process("api").kill()
    return listen(scene, up(scene, "api ended"), seconds=10)


@fault("daemon-killed", done="SIGKILL to Dagster's daemon", operator=AGAIN)
def daemon_killed(scene: Scene) -> Told:
    scene.process("daemon").kill()
    return listen(scene, up(scene, "daemon ended"), seconds=10)


@fault("daemon-killed-twice", done="SIGKILL to the daemon, and again as soon as it is back", operator=AGAIN)
def daemon_killed_twice(scene: Scene) -> Told:
    scene.restart("daemon")
    scene.begins()
    scene.process("daemon").kill()
    return listen(scene, up(scene, "daemon ended"), seconds=10)


@fault("code-server-killed", done="SIGKILL to the code server; the runs are its children", operator=AGAIN)
def code_server_killed(scene: Scene) -> Told:
    scene.process("code server").kill()
    return listen(scene, up(scene, "code server ended"), seconds=10)


@fault("daemon-frozen", done="SIGSTOP to the daemon: it lives and does nothing", operator="restart the daemon")
def daemon_frozen(scene: Scene) -> Told:
    scene.process("daemon").suspend()
    try:
        return listen(scene, watch(scene, "no heartbeat"), seconds=200)
    finally:
        scene.restart("daemon")


@fault(
    "code-does-not-load",
    done="the code server is started again with code that fails at import",
    operator="read the code server's log; put the release before back, restart the code server",
)
def code_does_not_load(scene: Scene) -> Told:
    with scene.restarted("code server", DRAGGONNB_SHARDS="no number"):
        scene.begins()
        return listen(scene, watch(scene, "code location"), watch(scene, "no sensor ticks"), seconds=220)


@fault("run-killed", done="SIGKILL to the process of a run amid leads", operator=NEXT_RUN)
def run_killed(scene: Scene) -> Told:
    taken_up = "select 1 from inbox where topic = 'leads' and state = 'claimed' and run_id is not null"
    deadline = time.monotonic() + 90
    while not (scene.rows(None, taken_up) and (workers := scene.run_workers())):
        assert time.monotonic() < deadline, "no run took anything up"
        time.sleep(0.1)
    scene.begins()
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    return listen(scene, failed_run(scene, "qualify_leads"), seconds=90)


@fault(
    "run-killed-after-acceptance",
    done="SIGKILL to a run after X has taken a post and before we know of it",
    operator="nothing: X is asked whether the post is there",
)
def run_killed_after_acceptance(scene: Scene) -> Told:
    scene.sandbox.faults("POST /x/2/tweets", {"kind": "accept_then_hang"})
    before = len(scene.sandbox.journal("x"))
    for slug in scene.clients:
        scene.work.post(slug)  # of each client's posts every fifth goes to X, so that soon one does
    deadline = time.monotonic() + 90
    while not any(entry["accepted"] and entry["fault"] for entry in scene.sandbox.journal("x")[before:]):
        assert time.monotonic() < deadline, "no post went to X"
        time.sleep(0.2)
    scene.begins()
    for worker in scene.run_workers():
        worker.kill()
    return listen(scene, failed_run(scene, "publish_due_posts"), seconds=90)


@fault(
    "power-cut",
    done="SIGKILL to everything at once: API, daemon, code server, runs, Postgres",
    operator="nothing where systemd starts Postgres; else start it",
)
def power_cut(scene: Scene) -> Told:
    names = ("api", "daemon", "code server")
    victims = [*scene.run_workers(), *(scene.process(name) for name in names)]
    postmaster = scene.postgres.process()
    victims += [*postmaster.children(recursive=True), postmaster]
    for process in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    try:
        return listen(scene, watch(scene, "database does not answer"), seconds=90)
    finally:
        scene.postgres.start()


@fault(
    "disk-full-backups",
    done="the disk of the backups is full",
    operator="make room or set DRAGGONNB_BACKUP_DIR; `draggonnb backup create --all`",
)
def disk_full_backups(scene: Scene) -> Told:
    with _small_disk(scene.postgres.folder / "backups", size="64k") as folder:
        create = verb(scene, "backup create --all", "disk is full", DRAGGONNB_BACKUP_DIR=str(folder))
        told = listen(scene, create, seconds=60)
        assert not list(folder.glob("*.backup")), "half a file stands under a final name"
        return told


@fault(
    "disk-full-state",
    done="the disk of the state directory is full while the API is dead",
    operator="make room; until then the mail comes with every look",
)
def disk_full_state(scene: Scene) -> Told:
    with scene.unsupervised(), _small_disk(scene.postgres.folder / "state", size="64k") as folder:
        _fill(folder)
        scene.process("api").kill()
        look = verb(scene, "watch", "cannot be written", DRAGGONNB_STATE_DIR=str(folder))
        return listen(scene, look, seconds=60)


@fault(
    "disk-full-database",
    done="the disk under one client's database is full",
    operator="make room; the rows wait and come by themselves",
)
def disk_full_database(scene: Scene) -> Told:
    slug = scene.clients[0]
    folder = scene.postgres.folder / "small"
    with _small_disk(folder, size="96m"), scene.postgres.moved(scene.database(slug), folder):
        filler = _fill(folder)
        scene.begins()
        try:
            jobs = (failed_run(scene, "qualify_leads"), failed_run(scene, "publish_due_posts"))
            return listen(scene, inbox(scene, "No space left"), *jobs, seconds=120)
        finally:
            filler.unlink()


@fault(
    "clock-ahead",
    done=f"the clock of API, code server and runs is {AHEAD_SECONDS // 3600} hours ahead of the database's",
    operator="set the clock (timedatectl), restart the processes",
)
def clock_ahead(scene: Scene) -> Told:
    library = str(_clock_library(scene.postgres.folder))
    with scene.restarted("code server", LD_PRELOAD=library), scene.restarted("api", LD_PRELOAD=library):
        scene.begins()
        told = listen(scene, watch(scene, "clock"), seconds=60)
        scene.work.lead(scene.clients[0])
        time.sleep(15)  # runs go on under the wrong clock
        return told


@fault(
    "dns-gone",
    done="the name of Claude's API leads nowhere",
    operator="mend the resolver; what waits goes on by itself",
)
def dns_gone(scene: Scene) -> Told:
    nowhere = {"DRAGGONNB_ANTHROPIC_API_KEY": "sk-ant-none", "DRAGGONNB_ANTHROPIC_BASE_URL": "http://claude.invalid"}
    with scene.restarted("code server", **nowhere), scene.restarted("api", **nowhere):
        scene.begins()
        told = listen(scene, health(scene, "claude is out of reach"), seconds=60)
        scene.work.lead(scene.clients[1])
        time.sleep(10)
        return told


@contextlib.contextmanager
def _small_disk(folder: Path, *, size: str) -> Iterator[Path]:
    """A disk of its own, which is the server's user's.

    Raises:
        Skipped: only root may mount one.
    """
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        raise Skipped("needs the right to mount a small disk (root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def _fill(folder: Path) -> Path:
    """Leave no byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return filler


def _clock_library(folder: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or os.uname().sysname != "Linux":
        raise Skipped("needs Linux and a C compiler, for a clock that is wrong in one process alone")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK_SOURCE)
    command = [compiler, "-shared", "-fPIC", f"-DAHEAD={AHEAD_SECONDS}", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library

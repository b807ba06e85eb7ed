"""Who tells of a fault, and waiting until somebody does: the exact words, where, and how long it took.

Lives here: one function for each place where an operator hears of things, as it is looked at from outside. Not here:
what any of them says (the product says it).

Each function gives a `Voice`. A voice that has nothing to say yet says None; `listen` asks several in turn, and the
first that speaks has told. Words are found by a part of them (`about`), case as written; an empty part takes anything.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from faults.scene import Scene

WORDS_CHARS = 160
PAUSE_SECONDS = 0.3


class Untold(Exception):
    """Nobody told of a fault in time; the text says who was listened to."""


@dataclass(frozen=True)
class Told:
    """What was said of a fault: where, in which words (shortened), so many seconds after it began."""

    where: str
    words: str
    seconds: float


@dataclass(frozen=True)
class Voice:
    """A place where an operator hears of things; `says` gives the line about the fault, None before there is one."""

    where: str
    says: Callable[[], str | None]


def listen(scene: "Scene", *voices: Voice, seconds: float) -> Told:
    """Ask the voices in turn until one of them tells.

    Args:
        seconds: since the fault began (`scene.begins()`).

    Raises:
        Untold: none did.
    """
    while True:
        for voice in voices:
            if words := voice.says():
                return Told(voice.where, shortened(words), scene.seconds)
        if scene.seconds > seconds:
            names = ", ".join(voice.where for voice in voices)
            raise Untold(f"after {seconds:.0f} s nothing of it from {names}")
        time.sleep(PAUSE_SECONDS)


def health(scene: "Scene", about: str) -> Voice:
    """A line of `why` of GET /api/health, with its status before it; of an API that answers."""

    def says() -> str | None:
        try:
            body = scene.system.http.get("/api/health").json()
        except (httpx.HTTPError, ValueError):
            return None
        line = _line(body["why"], about)
        return line and f"{body['status']}: {line}"

    return Voice("GET /api/health", says)


def alert(scene: "Scene", about: str, client: str | None = None) -> Voice:
    """The subject of an alert that stands since the fault began: the agency's, or that of a client."""

    def says() -> str | None:
        query = "select subject, lines::text as lines from alerts where created_at >= %s order by created_at"
        rows = scene.rows(client or scene.agency, query, scene.began_at)
        return next((row["subject"] for row in rows if about in f"{row['subject']} {row['lines']}"), None)

    return Voice("alert, by mail and in the app", says)


def mail(scene: "Scene", about: str) -> Voice:
    """The subject of a mail that came since the fault began; `about` is looked for in subject and text."""

    def says() -> str | None:
        return next((one["subject"] for one in scene.new_mails() if about in f"{one['subject']} {one['text']}"), None)

    return Voice("mail", says)


def verb(scene: "Scene", command: str, about: str, *, code: int = 1, **environment: str) -> Voice:
    """A line of what a verb prints, such as `verb(scene, "inbox list --state dead", "...")`, if it ends with this code.

    Args:
        environment: settings by their full names, over those of the stack.
    """

    def says() -> str | None:
        ended = scene.draggonnb(*command.split(), **environment)
        return _line(_lines(ended.stdout + ended.stderr), about) if ended.returncode == code else None

    return Voice(f"draggonnb {command}, exit code {code}", says)


def doctor(scene: "Scene", about: str, **environment: str) -> Voice:
    """A row of the doctor's table."""
    return verb(scene, "doctor", about, code=1, **environment)


def watch(scene: "Scene", about: str) -> Voice:
    """The subject of the mail that `draggonnb watch` sends to the owners, which a timer calls each minute."""

    def says() -> str | None:
        scene.draggonnb("watch")
        return mail(scene, about).says()

    return Voice("draggonnb watch, by mail to the owners", says)


def up(scene: "Scene", about: str) -> Voice:
    """What `draggonnb up` says on its terminal since the fault began (under systemd: the journal)."""
    return Voice("draggonnb up", lambda: _line(scene.said_by_up(), about))


def log_of(scene: "Scene", process: str, about: str) -> Voice:
    """A line that a process of the stack wrote into its log since the fault began: `api`, `code server`, `daemon`."""
    return Voice(f"log of the {process}", lambda: _line(scene.log_lines(process), about))


def inbox(scene: "Scene", about: str, topic: str = "leads") -> Voice:
    """The reason at a delivery that waits or was given up, as `draggonnb inbox list` shows it."""

    def says() -> str | None:
        query = "select distinct state, last_error from inbox where topic = %s and last_error is not null"
        return _line([f"{row['state']}: {row['last_error']}" for row in scene.rows(None, query, topic)], about)

    return Voice("draggonnb inbox list", says)


def queue(scene: "Scene", client: str, about: str) -> Voice:
    """The reason at a row of a client's publishing queue, as `draggonnb publish queue` shows it."""

    def says() -> str | None:
        query = "select distinct status, coalesce(question, last_error) as why from content_queue"
        return _line([f"{row['status']}: {row['why']}" for row in scene.rows(client, query) if row["why"]], about)

    return Voice("draggonnb publish queue", says)


def failed_run(scene: "Scene", job: str) -> Voice:
    """The alert about a run of this job that failed since the fault began: of a job and a
    cause one stands, and here many faults share them, so that the alert may be the one of before."""

    def says() -> str | None:
        query = "select 1 from audit_log where action = 'run.failed' and metadata ->> 'job' = %s and at >= %s"
        if not scene.rows(None, query, job, scene.began_at):
            return None
        query = (
            "select concat_ws(': ', subject, lines ->> 0) as said from alerts where starts_with(event_key, %s)"
            " order by created_at desc limit 1"
        )
        found = scene.rows(scene.agency, query, f"run_failed:{job}:")
        return found[0]["said"] if found else None

    return Voice("alert, by mail and in the app, one for each job and cause", says)


def check(scene: "Scene", job: str, name: str, about: str = "") -> Voice:
    """The verdict of an asset check that does not pass; its job is run as its schedule does."""

    def says() -> str | None:
        verdict = scene.verdict(job, name)
        return verdict and _line([verdict], about)

    return Voice(f"check {name}", says)


def shortened(words: str) -> str:
    """One line of at most WORDS_CHARS characters: without this run's own paths, addresses and ids."""
    plain = re.sub(r"(/dev/shm|/var/tmp|/tmp)/draggonnb-[\w-]+", "…", words.replace(str(Path.cwd()), "…"))
    plain = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "…", plain)
    plain = " ".join(plain.replace("|", " ").split())
    return plain if len(plain) <= WORDS_CHARS else f"{plain[: WORDS_CHARS - 1].rstrip()}…"


def new_text(path: Path, offset: int) -> str:
    """What a file has from a byte on; empty where there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def _lines(printed: str) -> list[str]:
    """Lines as a person reads them, without a table's strokes."""
    return [" ".join(re.sub(r"[─-╿]", " ", line).split()) for line in printed.splitlines()]


def _line(lines: Sequence[str], about: str) -> str | None:
    return next((line for line in lines if line and about in line), None)

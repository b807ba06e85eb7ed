"""`draggonnb keys list | add | rotate | retire`.

Lives here: the key file of an installation that has one, the output, the audit. Never shown: a key. Not here: resealing
(`workflows/operations/key_rotation.py`), making the first key (`installation.py`), the surface (`key_verbs.py`).
"""

import asyncio
import base64
import json
import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.installation import KEY_FILE
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import ORGANIZATIONS, Session, installation, session
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.whole_files import write_whole
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.workflows.operations.key_rotation import (
    KEYS,
    Rotation,
    backups_by_key,
    other_holders,
    reseal_all,
    rows_by_key,
)

T = TypeVar("T")


def show_keys() -> None:
    """A table: id, fingerprint, what the key does, what rests on it, how many other sessions hold it."""

    async def read(opened: Session) -> tuple[dict[str, str], dict[str, Counter[str]], list[tuple[str, ...]]]:
        resting = await rows_by_key(opened.master)
        for key_id, files in (await backups_by_key(opened.master)).items():
            resting.setdefault(key_id, Counter())["backups"] = files
        return opened.vault.fingerprints, resting, await other_holders(opened.master)

    fingerprints, resting, holders = _opened(read)
    columns = ("key", "fingerprint", "does", "rests on it", "held by sessions")
    shown = table(*columns, unbroken=("key", "fingerprint"))
    for position, (key_id, fingerprint) in enumerate(fingerprints.items()):
        held = sum(fingerprint in keys for keys in holders)
        shown.add_row(
            cell(key_id), cell(fingerprint), cell("seals and opens" if position == 0 else "opens"),
            cell(_counts(resting.get(key_id, Counter()))), cell(f"{held} of {len(holders)}"),
        )  # fmt: skip
    for key_id in sorted(set(resting) - set(fingerprints)):
        shown.add_row(
            cell(key_id, "red"), cell("-"), cell("not configured", "red"), cell(_counts(resting[key_id])), cell("-")
        )
    console().print(shown)


def add() -> None:
    """Put a fresh key first in the key file.

    Raises:
        OperatorError: the keys are a setting, which only its owner changes; or something runs with the present keys.
    """
    if load_settings().master_keys is not None:
        raise OperatorError(
            "the keys are set in DRAGGONNB_MASTER_KEYS",
            remedy="put a new entry first there, k2:$(openssl rand -base64 32), before the present ones",
        )

    async def work(opened: Session) -> str:
        if holders := await other_holders(opened.master):
            raise OperatorError(
                f"{len(holders)} database sessions work with the present keys",
                remedy="stop `draggonnb up` first: what runs now could not open what a new key seals",
            )
        key_id = await _fresh_id(opened)
        key = f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        _replace_key_file(opened.settings, f"{key},{opened.settings.keys}")
        await _audit(opened, "keys.added", key_id, {})
        return key_id

    key_id = _opened(work)
    console().print(cell(f"{key_id} is the first key: it seals from the next start on", "green"))
    console().print("then: draggonnb keys rotate")


def rotate() -> None:
    """Reseal, with a bar.

    Raises:
        OperatorError: a process at work lacks the first key, or some values open under none; the others are resealed.
    """

    async def work(opened: Session) -> Rotation:
        current, resting = opened.vault.current_key_id, await rows_by_key(opened.master)
        total = sum(rows.total() for key_id, rows in resting.items() if key_id != current)
        if total == 0:
            return Rotation()
        await _audit(opened, "keys.rotation_begun", current, {"values": total})
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console()) as progress:
            task = progress.add_task(f"sealing under {current}", total=total)
            done = await reseal_all(opened.master, opened.vault, on_progress=lambda rows: progress.advance(task, rows))
        told = {"resealed": done.resealed, "unopened": done.unopened.total()}
        await _audit(opened, "keys.rotated", current, told)
        return done

    done = _opened(work)
    console().print(cell(f"{done.resealed} values sealed again", "green" if done.resealed else ""))
    if done.unopened:
        raise OperatorError(
            f"no configured key opens: {_counts(done.unopened)}",
            remedy="`draggonnb keys list` names the keys that are missing: put them back into DRAGGONNB_MASTER_KEYS",
        )


def retire(key_id: str, *, lose_backups: bool) -> None:
    """Take a key out of the key file, or say that it may be taken out of the setting.

    Raises:
        OperatorError: it is not configured, is the first, or something rests on it or seals with it.
    """
    is_file = load_settings().master_keys is None

    async def work(opened: Session) -> None:
        fingerprint = opened.vault.fingerprints.get(key_id)
        if fingerprint is None:
            raise OperatorError(f"no key is called {key_id!r}", remedy="`draggonnb keys list` shows all")
        if key_id == opened.vault.current_key_id:
            raise OperatorError(f"{key_id} is the key that seals", remedy="put a new one first: `draggonnb keys add`")
        # Asked before the count: what such a process wrote until then is in it.
        if sealing := sum(held[:1] == (fingerprint,) for held in await other_holders(opened.master)):
            raise OperatorError(
                f"{sealing} database sessions are of processes that seal with {key_id}",
                remedy="restart them with the new key first in DRAGGONNB_MASTER_KEYS, and rotate again",
            )
        if resting := (await rows_by_key(opened.master)).get(key_id):
            raise OperatorError(f"{_counts(resting)} rest on {key_id}", remedy="draggonnb keys rotate")
        backups = (await backups_by_key(opened.master)).get(key_id, 0)
        if backups and not lose_backups:
            raise OperatorError(
                f"{backups} kept backups of the master database need {key_id}",
                remedy="wait until they have expired, or give the key up with --lose-backups",
            )
        await _audit(opened, "keys.retired", key_id, {"fingerprint": fingerprint, "lost_backups": backups})
        if is_file:
            entries = opened.settings.keys.split(",")
            kept = [entry for entry in entries if entry.strip().partition(":")[0] != key_id]
            _replace_key_file(opened.settings, ",".join(kept))

    _opened(work)
    if is_file:
        console().print(cell(f"{key_id} is out of the key file", "green"))
    else:
        console().print(cell(f"nothing rests on {key_id}: take it out of DRAGGONNB_MASTER_KEYS", "green"))


def _opened(work: Callable[[Session], Awaitable[T]]) -> T:
    async def run(settings: Settings) -> T:
        async with session(settings) as opened:
            return await work(opened)

    with installation(try_keys=False) as settings:  # a key that is missing is named here
        return asyncio.run(run(settings))


async def _audit(opened: Session, action: str, key_id: str, metadata: dict[str, Any]) -> None:
    async with opened.master.connection() as conn:
        await ORGANIZATIONS.audit(
            conn, actor=f"operator:{operator()}", action=action, resource=f"key:{key_id}", metadata=json.dumps(metadata)
        )


def _replace_key_file(settings: Settings, keys: str) -> None:
    """Whole or not at all: half a key file would be the loss of everything sealed."""
    write_whole(settings.state_dir / KEY_FILE, keys)


async def _fresh_id(opened: Session) -> str:
    """One that no key ever had: files and copies from before a retirement name theirs by its id alone."""
    async with opened.master.connection() as conn:
        last = await KEYS.last_key_number(conn)
    known = (re.fullmatch(r"k([0-9]{1,9})", key_id) for key_id in opened.vault.fingerprints)
    return f"k{max([1, last or 0, *(int(found[1]) for found in known if found)]) + 1}"


def _counts(rows: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(rows.items())) or "nothing"

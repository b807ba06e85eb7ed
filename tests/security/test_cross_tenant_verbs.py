"""Every verb of the command line, tried in one client's name for what is another's. The operator may do everything, but
never to somebody else than was named. A verb that `ATTEMPTS` does not name fails, and so does a name without a verb.
"""

import asyncio
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from tests.cli.conftest import clean_environment
from tests.conftest import MASTER_KEYS
from tests.security.two_clients import ORDER_KEY, PERSON, WORDS, TwoClients, told

INSTALLATION = "it is about the whole installation, and takes no client and nothing of one"
BY_ITS_ID = "the operator names a payment of master's by its own id; it takes no client"
NAMES_A_CLIENT = {"slug", "organization", "tenant"}
A = "outsider"
# Each verb's attempts: the words after it, the exit code, what it says. `{row}` is the id of the other's row.
Attempt = tuple[str, int, str]
ATTEMPTS: dict[str, list[Attempt] | str] = {
    **dict.fromkeys(("up", "demo", "client", "migrate", "doctor", "watch", "mcp", "serve", "drain"), INSTALLATION),
    **dict.fromkeys(("keys list", "keys add", "keys rotate", "keys retire", "publish resume"), INSTALLATION),
    **dict.fromkeys(("tenant list", "billing payments"), INSTALLATION),
    **dict.fromkeys(("server add", "server list", "server show", "server open", "server close"), INSTALLATION),
    "server remove": INSTALLATION,
    **dict.fromkeys(("billing settle", "billing recheck"), BY_ITS_ID),
    "reprocess": [(f"--organization {A} --from 2026-11-01 --to 2026-11-30", 0, "no leads from")],
    "tenant create": [(f"{A} --name Kloof --owner-email sales@outsider.example", 0, "existed already")],
    "tenant show": [(A, 0, A)],
    "lead send": [(f"{A} --email a@rooibos.example --delivery-id d-1", 1, "the API does not answer")],
    "inbox list": [(f"--organization {A}", 0, "no such delivery")],
    "inbox replay": [
        (f"--organization {A}", 0, "0 rows wait again"),
        (f"{{delivery}} --organization {A}", 1, "name the rows or an organization, not both"),
    ],
    "audit verify": [(f"--organization {A}", 0, "1 of 1 audit logs intact")],
    "audit export": [(f"- --organization {A}", 0, '"log": "outsider"')],
    "account connect": [(f"{A} facebook page-1 --sandbox", 0, "connected: facebook page-1")],
    "account list": [(A, 0, "page-1")],
    "account refresh": [(f"{A} {{account}}", 1, "cannot be refreshed now")],
    "account disconnect": [(f"{A} {{account}}", 1, "outsider has no connected account")],
    "publish queue": [(A, 0, "nothing is on the queue")],
    "publish review": [(A, 0, "nothing waits for a person")],
    "publish answer": [(f"{A} {{row}} {answer}", 1, "there is no row") for answer in ("drop", "published", "deleted")],
    "publish undo": [(f"{A} {{row}}", 1, "there is no row")],
    "billing show": [(A, 0, A)],
    "billing pause": [(f"{A} --key {ORDER_KEY}", 1, "its key names another order already")],
    "billing resume": [(f"{A} --key {ORDER_KEY}", 1, "its key names another order already")],
    "billing cancel": [(f"{A} --yes --key {ORDER_KEY}", 1, "its key names another order already")],
    "billing change-plan": [(f"{A} growth --key {ORDER_KEY}", 1, "its key names another order already")],
    "billing charge": [(f"{A} 150.00 --item x --key {ORDER_KEY}", 1, "its key names another order already")],
    "billing card-link": [(A, 1, "PayFast's token of this subscription is not known yet")],
    "alerts list": [(A, 0, "no alert is open")],
    "alerts ack": [(f"{A} {{alert}}", 1, "outsider has no alert")],
    "person find": [(f"{PERSON} --organization {A}", 0, "outsider")],
    "person export": [(f"{PERSON} --organization {A}", 0, "sha256")],
    "person consent": [
        (f"{PERSON} --organization {A} --record granted --wording yes", 0, "marketing: granted"),
        (f"contact@kloof.example --organization {A}", 1, "no contact"),
    ],
    "person erase": [(f"{PERSON} --organization {A} --yes", 0, "# Certificate of erasure of a person: Outsider")],
    "backup create": [(f"--tenant {A}", 0, "outsider")],
    "backup list": [(f"--tenant {A}", 0, "outsider")],
    "backup verify": [(f"--tenant {A}", 0, "outsider")],
    "backup drill": [(f"--tenant {A}", 0, "equal")],
    "backup restore": [
        (f"{A} --into {{database}} --yes", 1, "is there already"),
        (f"{A} --yes", 0, "outsider is restored"),
    ],
    "backup drop-old": [(f"{A} --yes", 0, "is dropped")],
    "tenant move": [(f"{A} --to master --yes", 1, "outsider is on master already")],
    "tenant drop-old": [(f"{A} --yes", 1, "no move of outsider has left a database behind")],
    "tenant suspend": [(f"{A} --yes", 0, "outsider is suspended")],
    "tenant resume": [(A, 0, "outsider is active")],
    "tenant abort": [(f"{A} --yes", 1, "outsider was never set up")],
    "tenant offboard": [(f"{A} --yes", 0, "bundle")],
    "tenant erase": [(f"{A} --yes", 1, "outsider may stay until")],
}


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Each verb as it is typed, with the names of its parameters."""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from verbs(below, (*path, name))
    else:
        yield " ".join(path), {str(one.name) for one in command.params}


def test_every_verb_has_its_attempts_or_the_reason_why_there_are_none() -> None:
    known = dict(verbs(get_command(app)))

    assert sorted(known) == sorted(ATTEMPTS)
    reasons = [verb for verb, attempts in ATTEMPTS.items() if isinstance(attempts, str)]
    assert [verb for verb in reasons if known[verb] & NAMES_A_CLIENT] == []


async def test_no_verb_gives_or_changes_anything_of_another_client(clients: TwoClients, tmp_path: Path) -> None:
    settings = {"DRAGGONNB_MASTER_DSN": clients.master_dsn, "DRAGGONNB_MASTER_KEYS": MASTER_KEYS}
    environment = clean_environment(tmp_path, **settings)
    ids = {name: str(one) for name, one in clients.ids.items()} | {"database": str(clients.other.database_name)}
    before = clients.everything_of_the_other()
    wrong = []

    for verb, attempts in ATTEMPTS.items():
        for words, code, said in [] if isinstance(attempts, str) else attempts:
            asked = f"{verb} {words.format(**ids)}"
            ended = await asyncio.to_thread(CliRunner().invoke, app, asked.split(), env=environment)
            output = " ".join(ended.output.split())
            given = told(output, clients, asked)
            if ended.exit_code != code or said not in output or given:
                wrong.append((asked, ended.exit_code, output, given))
            if clients.everything_of_the_other() != before:
                wrong.append((asked, "changed the other"))

    assert wrong == []
    assert written_of_the_other(tmp_path) == []


def written_of_the_other(folder: Path) -> list[str]:
    """Files with a word of the other's, those within zip files too."""
    found = []
    for path in folder.rglob("*"):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as bundle:
                contents = {f"{path.name}/{name}": bundle.read(name) for name in bundle.namelist()}
        else:
            contents = {path.name: path.read_bytes()} if path.is_file() else {}
        found += [name for name, data in contents.items() if any(word.encode() in data for word in WORDS)]
    return found

"""The certificate of a person's erasure: how many rows of what went, what is kept by which law, what is elsewhere.

Lives here: its contents, and how it reads. Not here: the erasure (`person_erasure.py`), that of a whole client
(`workflows/provisioning/erasure_certificate.py`). It names nobody: the fingerprint shows to whoever has the address and
the organization's key that it is about this person.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.whole_files import write_whole
from draggonnb_pipelines.workflows.operations.person_rows import Found

ELSEWHERE = (
    ("our backups", "until their retention ends; whom one brings back is forgotten again by the next `keep_retention`"),
    ("Anthropic", "what its terms for the API let it keep of questions and answers, and for how long"),
    ("mail servers and WhatsApp", "messages that were delivered are their readers'"),
    ("the client's n8n", "executions that it keeps: prune them there (EXECUTIONS_DATA_MAX_AGE)"),
)
LOGIN = ("Supabase Auth", "the login of a person of the organization: delete the user under Authentication > Users")
COPY = (
    "a restore or a move left it, and the person may be in it until it is dropped: `draggonnb backup drop-old`, "
    "`draggonnb tenant drop-old`, or `dropdb`"
)


def certificate_of(
    organization: Organization,
    row: Mapping[str, Any],
    fingerprint: str,
    erased: Mapping[str, int],
    kept: Iterable[Found],
    unreadable: int,
    erased_at: datetime,
    *,
    has_login_elsewhere: bool = False,
    copies: Iterable[str] = (),
) -> dict[str, Any]:
    """The certificate as it is stored: JSON, times in ISO 8601.

    Args:
        row: of `person_erasures`.
        erased: rows by place.
        unreadable: deliveries in the inbox that do not open any more.
        has_login_elsewhere: they may have signed in at a project that is not in our reach.
        copies: databases besides the one that serves, which nobody has looked into.
    """
    stays = [{"what": one.place.name, "rows": one.rows, "why": one.place.kept} for one in kept]
    if unreadable:
        stays.append({"what": "inbox", "rows": unreadable, "why": "these bodies do not open any more, to nobody"})
    elsewhere = (*ELSEWHERE, LOGIN) if has_login_elsewhere else ELSEWHERE
    elsewhere = (*elsewhere, *((f"database {name}", COPY) for name in copies))
    return {
        "certificate": "erasure of a person",
        "id": str(row["id"]),
        "organization": {"id": str(organization.id), "slug": organization.slug, "name": organization.name},
        "fingerprint": fingerprint,
        "requested_by": row["requested_by"],
        "requested_at": row["created_at"].isoformat(),
        "erased_at": erased_at.isoformat(),
        "erased": [{"what": name, "rows": rows} for name, rows in sorted(erased.items())],
        "kept": stays,
        "elsewhere": [{"where": where, "what": what} for where, what in elsewhere],
    }


def as_markdown(certificate: Mapping[str, Any]) -> str:
    """The same for a person."""
    organization = certificate["organization"]
    lines = [
        f"# Certificate of erasure of a person: {organization['name']}",
        "",
        f"Number `{certificate['id']}`, organization `{organization['slug']}`, requested by "
        f"{certificate['requested_by']} on {certificate['requested_at'][:10]}, erased on "
        f"{certificate['erased_at'][:19]} UTC. Fingerprint `{certificate['fingerprint']}`.",
        "",
        "| erased | rows |",
        "|---|---|",
        *(f"| {one['what']} | {one['rows']} |" for one in certificate["erased"]),
        "",
        "| kept | rows | why |",
        "|---|---|---|",
        *(f"| {one['what']} | {one['rows']} | {one['why']} |" for one in certificate["kept"]),
        "",
        "| elsewhere | what |",
        "|---|---|",
        *(f"| {one['where']} | {one['what']} |" for one in certificate["elsewhere"]),
    ]
    return "\n".join(lines) + "\n"


def write_certificate(folder: Path, certificate: Mapping[str, Any]) -> Path:
    """Both files, each as a whole; written again they are the same. Returns the one for a person."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = f"{certificate['organization']['slug']}-person-{certificate['id']}"
    texts = {"json": json.dumps(certificate, indent=2, ensure_ascii=False) + "\n", "md": as_markdown(certificate)}
    for kind, text in texts.items():
        write_whole(folder / f"{stem}.{kind}", text)
    return folder / f"{stem}.md"

"""The certificate of an erasure: what was erased where and when, and what is kept by which law.

Lives here: its contents, and how it reads. Not here: the erasure (`erasure.py`). It names no person.
Sources: Tax Administration Act 28 of 2011, s 29 (five years); Companies Act 71 of 2008, s 24 (seven years); Protection
of Personal Information Act 4 of 2013, s 14 (retention, and erasure so that it cannot be reconstructed).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Resource
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.whole_files import write_whole
from draggonnb_pipelines.workflows.provisioning.export_bundle import exports_folder

BOOKS = "Tax Administration Act 28 of 2011, s 29 (five years), and Companies Act 71 of 2008, s 24 (seven years)"
PROOF = "proof of what was done, which the Protection of Personal Information Act 4 of 2013, s 17 asks for"
# Rows of the master database in which persons were named, by what `personal_data` calls them.
FORGOTTEN = {
    "checkouts": "names and addresses on checkouts",
    "own_proposal_links": "who accepted the client's proposals",
    "accepted_proposals": "who accepted ours for the client",
    "review_links": "addresses of reviewers",
    "inbox": "received messages",
    "provisionings": "name, address and telephone of the owner",
}


def certificate_of(
    organization: Organization,
    offboarding: Mapping[str, Any],
    resources: Sequence[Resource],
    media: str,
    databases: Sequence[str],
    counts: Mapping[str, int],
    erased_at: datetime,
) -> dict[str, Any]:
    """The certificate as it is stored: JSON, times in ISO 8601."""
    erased = [_of_vendor(one, erased_at) for one in resources]
    erased.append(_line("media storage", f"bucket media-{organization.slug} with its files", media, erased_at))
    erased += [_line("our server", f"database {database}", "dropped", erased_at) for database in databases]
    erased += [
        _line("our database", f"{words}: {counts[name]}", "blanked", erased_at)
        for name, words in FORGOTTEN.items()
        if counts[name]
    ]
    erased.append(_line("our database", "the key of everything sealed for the client", "destroyed", erased_at))
    if offboarding["export_path"]:
        erased.append(_line("our server", "our copy of the export bundle", "deleted", erased_at))
    digest = offboarding["export_sha256"]
    return {
        "certificate": "erasure",
        "organization": {"id": str(organization.id), "slug": organization.slug, "name": organization.name},
        "requested_by": offboarding["requested_by"],
        "requested_at": offboarding["created_at"].isoformat(),
        "erased_at": erased_at.isoformat(),
        "export_sha256": bytes(digest).hex() if digest else None,
        "erased": erased,
        "kept": _kept(counts),
    }


def as_markdown(certificate: Mapping[str, Any]) -> str:
    """The same for a person."""
    organization = certificate["organization"]
    lines = [
        f"# Certificate of erasure: {organization['name']}",
        "",
        f"Organization `{organization['slug']}` ({organization['id']}), requested by {certificate['requested_by']} on "
        f"{certificate['requested_at'][:10]}, erased on {certificate['erased_at'][:19]} UTC.",
        "",
        f"SHA-256 of the exported bundle: `{certificate['export_sha256'] or 'none was made'}`",
        "",
        "## Erased",
        "",
        "| where | what | how | when (UTC) |",
        "|---|---|---|---|",
        *(f"| {_cell(one['where'])} | {_cell(one['what'])} | {_cell(one['how'])} | {one['at'][:19]} |"
          for one in certificate["erased"]),
        "",
        "## Kept",
        "",
        "| what | why |",
        "|---|---|",
        *(f"| {_cell(one['what'])} | {_cell(one['why'])} |" for one in certificate["kept"]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def write_certificate(stack: Stack, slug: str, certificate: Mapping[str, Any]) -> None:
    """Both files, each as a whole; written again they are the same."""
    folder = exports_folder(stack)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    texts = {"json": json.dumps(certificate, indent=2, ensure_ascii=False) + "\n", "md": as_markdown(certificate)}
    for kind, text in texts.items():
        write_whole(folder / f"{slug}-erasure-certificate.{kind}", text)


def _kept(counts: Mapping[str, int]) -> list[dict[str, str]]:
    return [
        {"what": f"payments: {counts['kept_payments']}, sealed as they came from PayFast", "why": BOOKS},
        {"what": f"invoices: {counts['kept_invoices']}, with the documents as they were sent", "why": BOOKS},
        {"what": "the subscription and its history", "why": BOOKS},
        {"what": "the organization's row: its name and slug, which is never given to anybody else", "why": BOOKS},
        {"what": "the audit log, and this certificate", "why": PROOF},
        {"what": "the agency's own records of its customer: lead, proposal, mails", "why": BOOKS},
    ]


def _of_vendor(resource: Resource, erased_at: datetime) -> dict[str, str]:
    what = f"{resource.step}: {resource.name}" + (f" ({resource.vendor_id})" if resource.vendor_id else "")
    line = _line(resource.vendor, what, resource.details.get("removal", "removed"), erased_at)
    return line | {"at": resource.details.get("removed_at", line["at"])}


def _line(where: str, what: str, how: str, at: datetime) -> dict[str, str]:
    return {"where": where, "what": what, "how": how, "at": at.isoformat()}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

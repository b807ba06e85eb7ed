"""LinkedIn's Images API: reserve a URN, PUT the bytes, ask until it is AVAILABLE."""

import asyncio
import secrets

from vendor_sandbox.linkedin_access import WRITE, error, grant_of, guarded, input_error, is_account
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")


def initialize(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """POST /rest/images?action=initializeUpload."""
    try:
        owner = call.json["initializeUploadRequest"]["owner"]
    except (ValueError, KeyError, TypeError):
        return input_error(400, "MISSING_FIELD", "initializeUploadRequest.owner is required", "/owner")
    if call.query.get("action") != "initializeUpload":
        return error(400, "ILLEGAL_ARGUMENT", "Unknown action")
    if not is_account(owner, account):
        return error(403, "ACCESS_DENIED", "Viewer is not authorized to upload for this owner", 100)
    number = secrets.token_urlsafe(12)
    urn = f"urn:li:image:{number}"
    sandbox.social.uploads[f"linkedin/{urn}"] = {"account": account, "status": "WAITING_UPLOAD"}
    content = {
        "uploadUrlExpiresAt": 4_000_000_000_000,
        "uploadUrl": f"http://{call.headers['host']}/linkedin/dms-uploads/{number}",
        "image": urn,
    }
    return json_answer(200, {"value": content})


async def put(call: Call, sandbox: Sandbox, number: str) -> Answer:
    """PUT to the upload URL; 201 and no body."""
    await asyncio.sleep(sandbox.settings.social_latency_seconds)
    grant = grant_of(call, sandbox)
    if isinstance(grant, Answer):
        return grant
    upload = sandbox.social.uploads.get(f"linkedin/urn:li:image:{number}")
    if upload is None or upload["account"] != grant.account:
        return error(404, "NOT_FOUND", "Upload not found", 0)
    upload["status"] = "AVAILABLE" if call.body.startswith(_MAGIC) else "PROCESSING_FAILED"
    upload["size"] = len(call.body)
    return Answer(201)


def status(call: Call, sandbox: Sandbox, account: str, urn: str) -> Answer:
    """GET /rest/images/{urn}."""
    upload = sandbox.social.uploads.get(f"linkedin/{urn}")
    if upload is None:
        return error(404, "NOT_FOUND", "Image not found", 0)
    if upload["account"] != account:
        return error(403, "ACCESS_DENIED", "Not enough permissions to access: images.GET", 100)
    if call.fault_kind == "image_failed":
        upload["status"] = "PROCESSING_FAILED"
    shown = "PROCESSING" if call.fault_kind == "image_slow" else upload["status"]
    return json_answer(200, {"id": urn, "owner": f"urn:li:organization:{account}", "status": shown})


def is_usable(sandbox: Sandbox, account: str, urn: object) -> bool:
    upload = sandbox.social.uploads.get(f"linkedin/{urn}")
    return upload is not None and upload["account"] == account and upload["status"] == "AVAILABLE"


ROUTES = (
    Route("POST", "/linkedin/rest/images", guarded(WRITE, initialize)),
    Route("GET", "/linkedin/rest/images/{urn}", guarded(WRITE, status)),
    Route("PUT", "/linkedin/dms-uploads/{number}", put),
)

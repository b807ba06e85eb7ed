"""Secrets and variables of a repository's Actions.

Lives here: the endpoints below /actions. A secret is opened on arrival, so that /_sandbox/public can show what Actions
would see; the API itself never shows it. Does not live here: repositories (`github.py`).
"""

import base64
import binascii
import re
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import SealedBox

from vendor_sandbox.github_access import ROOT, error, invalid, object_of, of_repo, scripted_error
from vendor_sandbox.github_repos import Repo
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", re.IGNORECASE)


async def public_key(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """GET actions/secrets/public-key."""
    key = base64.b64encode(bytes(repo.key.public_key)).decode()
    return json_answer(200, {"key_id": repo.key_id, "key": key})


async def secret(call: Call, sandbox: Sandbox, repo: Repo, secret: str) -> Answer:
    """GET actions/secrets/{name}: that it is there, never its value."""
    if secret.upper() not in repo.secrets:
        return scripted_error(404, "unknown")
    return json_answer(200, {"name": secret.upper(), "created_at": repo.at.isoformat()})


async def put_secret(call: Call, sandbox: Sandbox, repo: Repo, secret: str) -> Answer:
    """PUT actions/secrets/{name}: 201 new, 204 replaced."""
    body = object_of(call)
    if not _NAME.fullmatch(secret):
        return invalid("Secret", "name", "invalid")
    if body.get("key_id") != repo.key_id:
        return error(422, "Invalid request.\n\nThe key_id is not the repository's.")
    try:
        sealed = base64.b64decode(str(body.get("encrypted_value")), validate=True)
        value = SealedBox(repo.key).decrypt(sealed).decode()
    except (binascii.Error, CryptoError, UnicodeDecodeError, ValueError):
        return error(422, "Invalid request.\n\nThe encrypted_value cannot be decrypted.")
    is_new = secret.upper() not in repo.secrets
    repo.secrets[secret.upper()] = value
    return json_answer(201, {}) if is_new else Answer(204)


async def add_variable(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """POST actions/variables: 201; 409 where there is one."""
    body = object_of(call)
    fault = _fault(body)
    if fault:
        return fault
    if body["name"].upper() in repo.variables:
        return error(409, "Already exists - Variable already exists")
    repo.variables[body["name"].upper()] = body["value"]
    return json_answer(201, {})


async def variable(call: Call, sandbox: Sandbox, repo: Repo, variable: str) -> Answer:
    """GET actions/variables/{name}."""
    if variable.upper() not in repo.variables:
        return scripted_error(404, "unknown")
    return json_answer(200, {"name": variable.upper(), "value": repo.variables[variable.upper()]})


async def change_variable(call: Call, sandbox: Sandbox, repo: Repo, variable: str) -> Answer:
    """PATCH actions/variables/{name}: 204."""
    if variable.upper() not in repo.variables:
        return scripted_error(404, "unknown")
    repo.variables[variable.upper()] = str(object_of(call).get("value", ""))
    return Answer(204)


def _fault(body: dict[str, Any]) -> Answer | None:
    name, value = body.get("name"), body.get("value")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return invalid("Variable", "name", "invalid")
    return None if isinstance(value, str) else invalid("Variable", "value", "missing_field")


ROUTES = (
    Route("GET", f"{ROOT}/actions/secrets/public-key", of_repo(public_key)),
    Route("GET", f"{ROOT}/actions/secrets/{{secret}}", of_repo(secret)),
    Route("PUT", f"{ROOT}/actions/secrets/{{secret}}", of_repo(put_secret, writes=True)),
    Route("POST", f"{ROOT}/actions/variables", of_repo(add_variable, writes=True)),
    Route("GET", f"{ROOT}/actions/variables/{{variable}}", of_repo(variable)),
    Route("PATCH", f"{ROOT}/actions/variables/{{variable}}", of_repo(change_variable, writes=True)),
)

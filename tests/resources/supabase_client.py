"""The Supabase adapters as this room's tests build them, against the sandbox or a server of their own."""

from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.supabase_auth import SupabaseAuth
from draggonnb_pipelines.resources.supabase_management import SupabaseManagement
from tests.sandbox_process import Sandbox
from tests.supabase_calls import TOKEN, new_project, secret_key

ORGANIZATION = "sandbox-org"
PASSWORD = "correct-horse-battery"


def supabase(door: HttpDoor, base: str, *, token: str = TOKEN) -> SupabaseManagement:
    return SupabaseManagement(door, base_url=f"{base}/supabase", token=token)


def project_auth(door: HttpDoor, sandbox: Sandbox) -> tuple[str, SupabaseAuth]:
    """A new project and the admin's side of its Auth."""
    ref = new_project(sandbox)
    url = f"{sandbox.url}/supabase/projects/{ref}"
    return ref, SupabaseAuth(door, project_url=url, key=secret_key(sandbox, ref))

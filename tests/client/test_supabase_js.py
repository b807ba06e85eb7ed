"""supabase-js, in the version that the client's app ships with, against a sandbox project as against a real one."""

import json
import subprocess
from pathlib import Path

import psycopg

from tests.client.tenant import PASSWORD, Tenant, add_people
from tests.supabase_calls import management

SCRIPT = Path(__file__).parent / "supabase_js.mjs"
TEMPLATE = Path(__file__).parent.parent.parent / "client_template" / "package.json"


def test_the_apps_own_library_signs_in_reads_writes_refreshes_and_comes_back_by_a_link(tenant: Tenant):
    people = add_people(tenant)
    settings = {"smtp_host": "smtp.kloof.example", "site_url": "http://127.0.0.1:3000"}
    management(tenant.sandbox, "PATCH", f"/projects/{tenant.ref}/config/auth", settings)
    argument = {
        "template": str(TEMPLATE),
        "sandbox": tenant.sandbox.url,
        "url": tenant.url,
        "key": tenant.keys["publishable"],
        "email": people["editor"],
        "password": PASSWORD,
    }

    done = subprocess.run(["node", SCRIPT, json.dumps(argument)], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "nobody": [401, "42501"],
        "wrongPassword": "invalid_credentials",
        "signedIn": people["editor"],
        "user": people["editor"],
        "claims": ["ES256", "authenticated"],
        "added": [201, "<img onerror=alert(1)>"],
        "changed": [204, 1],
        "removed": "42501",
        "role": "editor",
        "refreshed": True,
        "afterRefresh": 6,
        "signedOut": None,
        "asked": None,
        "strangersCode": "pkce_code_verifier_not_found",
        "byLink": people["editor"],
    }
    with psycopg.connect(tenant.dsn) as conn:
        assert conn.execute("select name from contacts").fetchall() == [("Thandi",)]

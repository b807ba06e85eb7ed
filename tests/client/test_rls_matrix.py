"""Every table and function of a tenant, every asker, through PostgREST with the tokens of the sandbox's Auth: exactly
what `rls_matrix.csv` says. A table or function without its lines there fails."""

import base64
import csv
import hmac
import json
from pathlib import Path

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.sql import SQL, Identifier

from tests.client.rls_attempts import attempts
from tests.client.tenant import ROLES, Tenant, add_people, fill
from tests.supabase_calls import management

MATRIX = Path(__file__).parent / "rls_matrix.csv"
ASKERS = (*ROLES, "inactive", "stranger", "no_session", "other_tenant", "forged", "expired")
NOBODY = "00000000-0000-4000-8000-000000000000"
TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"

Askers = dict[str, tuple[str | None, str]]


@pytest.fixture(scope="module")
def askers(tenant: Tenant, other_tenant: Tenant) -> Askers:
    """Who asks: a token, and the id of their row in `users`."""
    addresses = add_people(tenant)
    fill(tenant)
    tokens: dict[str, str | None] = {name: tenant.sign_in(address) for name, address in addresses.items()}
    tokens["no_session"] = None
    other_tenant.add_person(addresses["owner"])
    tokens["other_tenant"] = other_tenant.sign_in(addresses["owner"])
    tokens["forged"] = signed_by_somebody_else(str(tokens["owner"]))
    tokens["expired"] = expired(tenant, addresses["owner"])
    with psycopg.connect(tenant.dsn) as conn:
        ids = {email: str(user_id) for email, user_id in conn.execute("select email, id from users")}
    # Where somebody has no row of their own, the owner's is what they would write in the name of.
    mine = {name: ids.get(f"{name}@kloof.example", ids[addresses["owner"]]) for name in ASKERS}
    return {name: (tokens[name], mine[name]) for name in ASKERS}


def signed_by_somebody_else(token: str) -> str:
    """The same claims under the same key id, with a key of one's own."""
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": kid})


def expired(tenant: Tenant, email: str) -> str:
    """A session of Auth's own that is over: PostgREST forgives half a minute, and this is a whole one."""
    path = f"/projects/{tenant.ref}/config/auth"
    assert management(tenant.sandbox, "PATCH", path, {"jwt_exp": -60}).status_code == 200
    token = tenant.sign_in(email)
    management(tenant.sandbox, "PATCH", path, {"jwt_exp": 3600})
    return token


def expected() -> list[list[str]]:
    lines = [line for line in MATRIX.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return list(csv.reader(lines))


def as_text(lines: list[list[str]]) -> list[str]:
    return [",".join(line) for line in lines]


def contents(tenant: Tenant) -> dict[str, list[str]]:
    with psycopg.connect(tenant.dsn) as conn:
        names = [name for (name,) in conn.execute(TABLES)]
        every_row = SQL("select t::text from {} t order by 1")
        return {name: [row for (row,) in conn.execute(every_row.format(Identifier(name)))] for name in names}


def test_every_asker_gets_exactly_what_the_matrix_says_of_every_table_and_function(tenant: Tenant, askers: Askers):
    before = contents(tenant)

    seen = [["name", "way", "rows", *ASKERS, "columns"], *attempts(tenant, askers)]

    assert as_text(seen) == as_text(expected())
    assert contents(tenant) == before


def test_no_table_of_the_matrix_is_empty():
    """Else "0 rows" would say nothing."""
    assert {line[0] for line in expected()[1:] if line[2] == "0"} == set()


def test_who_is_not_of_the_organization_gets_no_row_anywhere():
    """Said once more, since it is what the whole matrix is for."""
    header, *lines = expected()
    outside = [
        header.index(name) for name in ("inactive", "stranger", "no_session", "other_tenant", "forged", "expired")
    ]
    allowed = {(line[0], line[1], line[at]) for line in lines for at in outside} - {
        (line[0], line[1], nothing) for line in lines for nothing in ("0", "denied", "401")
    }

    # It asks who one is, and says "nobody".
    assert allowed == {("join_organization", "call", "runs")}


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_may_not_choose_how_it_is_checked(tenant: Tenant, askers: Askers, algorithm: str):
    """No signature at all, or the public key taken for a shared secret."""
    claims = jwt.decode(str(askers["owner"][0]), options={"verify_signature": False}) | {"role": "service_role"}
    jwks = tenant.ask_auth("GET", "/.well-known/jwks.json")
    header = {"alg": algorithm, "typ": "JWT", "kid": jwks["keys"][0]["kid"]}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    secret = json.dumps(jwks["keys"][0])
    mac = hmac.digest(secret.encode(), ".".join(parts).encode(), "sha256")
    signature = "" if algorithm == "none" else base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    answer = tenant.rest("GET", "/users?select=id", token=".".join([*parts, signature]))

    assert (answer.status_code, answer.json()["code"]) == (401, "PGRST301")


def test_claims_that_were_altered_do_not_fit_the_signature(tenant: Tenant, askers: Askers):
    head, body, signature = str(askers["viewer"][0]).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | {"role": "service_role"}
    altered = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    answer = tenant.rest("GET", "/users?select=id", token=f"{head}.{altered}.{signature}")

    assert (answer.status_code, answer.json()["code"]) == (401, "PGRST301")

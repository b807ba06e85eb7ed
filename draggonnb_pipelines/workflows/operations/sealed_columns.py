"""Every stored value that is sealed: where it is, under whose key, and with which context it opens.

Lives here: the list alone; a test holds it against the binary columns of both schemas. Not here: resealing
(`key_rotation.py`), the envelope (`resources/vault.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from draggonnb_pipelines.domain.inbox import webhook_secret_context
from draggonnb_pipelines.domain.itn import RAW_CONTEXT
from draggonnb_pipelines.resources.postgres import sealed_dsn_context, server_dsn_context
from draggonnb_pipelines.resources.vault import data_key_context
from draggonnb_pipelines.workflows.billing.subscription_changes import token_context


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of the master database under the master keys. `context` is of the row's id, a uuid called `id`."""

    table: str
    column: str
    context: Callable[[UUID], str]

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


UNDER_MASTER_KEYS = (
    SealedColumn("organizations", "data_key_wrapped", data_key_context),
    SealedColumn("organizations", "dsn_sealed", sealed_dsn_context),
    SealedColumn("database_servers", "dsn_sealed", server_dsn_context),
    SealedColumn("organizations", "webhook_secret_sealed", webhook_secret_context),
    SealedColumn("subscriptions", "payfast_token_sealed", token_context),
    SealedColumn("payments", "raw_sealed", lambda _: RAW_CONTEXT),
)

# Sealed with an organization's own data key: a rotation rewraps that key and leaves these as they are.
UNDER_TENANT_KEYS = frozenset(
    {
        ("master", "inbox.raw_sealed"),
        ("master", "inbox.parsed_sealed"),
        ("master", "stack_resources.secrets_sealed"),
        ("master", "person_erasures.subject_sealed"),
        ("tenant", "social_accounts.credentials"),
        ("tenant", "n8n_webhooks.token_sealed"),
    }
)

# Nothing writes it yet. Who begins to moves it up.
UNUSED = frozenset({("master", "vendor_credentials.secret_sealed")})

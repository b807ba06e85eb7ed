"""What a client's app is told about its client: the one file in its repository, and the names of its variables.

Lives here: their shape, their defaults, the bytes that are committed. Not here: when they are committed or set
(`workflows/provisioning/github_repo.py`, `workflows/provisioning/environment.py`), secrets of any kind.
"""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from draggonnb_pipelines.domain.organizations import Organization

CONFIG_PATH = "client.config.json"
MODULES = ("leads", "content", "publishing", "analytics")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Branding(_Part):
    """How the app looks until the client says otherwise: colours as #rrggbb, a logo's path below /public."""

    primary_color: str = Field(default="#0f766e", pattern=r"^#[0-9a-f]{6}$")
    accent_color: str = Field(default="#f59e0b", pattern=r"^#[0-9a-f]{6}$")
    logo: str | None = None


class ClientConfig(_Part):
    """The file: names in camelCase, as the app reads them.

    Args:
        locale: BCP 47, such as en-ZA.
        timezone: IANA, such as Africa/Johannesburg.
        modules: the parts of the app that are switched on.
    """

    version: Literal[1] = 1
    slug: str
    name: str
    locale: str
    timezone: str
    branding: Branding = Branding()
    modules: tuple[str, ...] = MODULES

    def encode(self) -> bytes:
        """The file's content; the same bytes for the same values."""
        values = self.model_dump(by_alias=True, mode="json")
        return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def client_config(organization: Organization) -> ClientConfig:
    """The file of a new client."""
    return ClientConfig(
        slug=organization.slug, name=organization.name, locale=organization.locale, timezone=organization.timezone
    )


def public_variables(
    organization: Organization, *, supabase_url: str, publishable_key: str, site_url: str
) -> dict[str, str]:
    """The variables that the app's build puts into every visitor's browser: nothing in them is secret."""
    return {
        "NEXT_PUBLIC_CLIENT_NAME": organization.name,
        "NEXT_PUBLIC_CLIENT_SLUG": organization.slug,
        "NEXT_PUBLIC_SITE_URL": site_url,
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY": publishable_key,
        "NEXT_PUBLIC_SUPABASE_URL": supabase_url,
    }

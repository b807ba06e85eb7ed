"""What a client's app is told: one file, the same bytes for the same client, and no secret among its variables."""

import json
from uuid import UUID

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.domain.client_config import Branding, ClientConfig, client_config, public_variables
from draggonnb_pipelines.domain.organizations import Organization

KLOOF = Organization(
    UUID(int=7), "kloof-cafe", 'Kloof "Café" ☕', "provisioning", "Africa/Johannesburg", "af-ZA", None, None, None
)


def test_the_file_holds_the_client_and_the_defaults():
    assert json.loads(client_config(KLOOF).encode()) == {
        "version": 1,
        "slug": "kloof-cafe",
        "name": 'Kloof "Café" ☕',
        "locale": "af-ZA",
        "timezone": "Africa/Johannesburg",
        "branding": {"primaryColor": "#0f766e", "accentColor": "#f59e0b", "logo": None},
        "modules": ["leads", "content", "publishing", "analytics"],
    }


def test_the_same_client_gives_the_same_bytes_readable_and_with_a_last_line_that_ends():
    content = client_config(KLOOF).encode()

    assert content == client_config(KLOOF).encode()
    assert "Café" in content.decode()
    assert content.endswith(b"}\n")


def test_what_was_written_is_read_back():
    config = client_config(KLOOF)

    assert ClientConfig.model_validate_json(config.encode()) == config


@pytest.mark.parametrize("color", ["red", "#FFF", "#12345g", "#1234567", "#0f766e; }"])
def test_a_colour_that_is_none_is_refused(color: str):
    with pytest.raises(ValidationError):
        Branding(primary_color=color)


def test_a_field_that_nobody_reads_is_refused():
    with pytest.raises(ValidationError):
        ClientConfig.model_validate_json(client_config(KLOOF).encode().replace(b'"modules"', b'"moduls"'))


def test_every_public_variable_says_so_in_its_name():
    variables = public_variables(
        KLOOF, supabase_url="https://ref.supabase.co", publishable_key="sb_publishable_1", site_url="https://kloof"
    )

    assert len(variables) == 5
    assert all(name.startswith("NEXT_PUBLIC_") for name in variables)
    assert not any("sb_secret" in value for value in variables.values())

"""The four networks' clients, made from the settings. Adding a network: its adapter, and a line here."""

from pydantic import SecretStr

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.facebook import FacebookPages
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.instagram import Instagram
from draggonnb_pipelines.resources.linkedin import LinkedIn
from draggonnb_pipelines.resources.storage import MediaStorage
from draggonnb_pipelines.resources.x import X
from draggonnb_pipelines.settings import SANDBOX_SECRET, Settings

Adapter = FacebookPages | Instagram | LinkedIn | X


def build_platforms(settings: Settings, door: HttpDoor, storage: MediaStorage) -> dict[Platform, Adapter]:
    """One client per network; without credentials it talks to the sandbox."""
    app_id = settings.meta_app_id or SANDBOX_SECRET
    app_secret = _plain(settings.meta_app_secret)
    return {
        Platform.FACEBOOK: FacebookPages(
            door, base_url=settings.graph_url, app_id=app_id, app_secret=app_secret, web_url=settings.facebook_web_url
        ),
        Platform.INSTAGRAM: Instagram(door, base_url=settings.graph_url, app_id=app_id, app_secret=app_secret),
        Platform.LINKEDIN: LinkedIn(
            door,
            base_url=settings.linkedin_url,
            web_url=settings.linkedin_login_url,
            version=settings.linkedin_version,
            storage=storage,
            client_id=settings.linkedin_client_id or SANDBOX_SECRET,
            client_secret=_plain(settings.linkedin_client_secret),
        ),
        Platform.X: X(
            door,
            base_url=settings.x_url,
            web_url=settings.x_web_url,
            storage=storage,
            client_id=settings.x_client_id or SANDBOX_SECRET,
            client_secret=_plain(settings.x_client_secret),
        ),
    }


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else SANDBOX_SECRET

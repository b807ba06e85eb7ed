"""A client of the running stack with its app built and served as its host would, and people in real browsers.

Lives here: what every test of the whole app needs, started once. Not here: assertions.
"""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.progress import Progress

from draggonnb_pipelines.cli.client import POSTGREST, new_client, welcome_link
from draggonnb_pipelines.cli.client_app import INSTALLED, Deployment, build, deployment_of, serve
from draggonnb_pipelines.cli.command_lines import CLIENT_TEMPLATE
from draggonnb_pipelines.cli.demo_client import BUYER
from scripts.postgrest import ROOT, ensure_postgrest
from tests.stories.system import System, running_system
from tests.supabase_calls import management

CHROMIUM = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
# Kept between runs: packages are installed again only after a change of the lock file.
FOLDER = ROOT / ".tools" / "client-app"
OWNER = BUYER["email"]
PASSWORD = "four words to remember"
SESSION_SECONDS = 4 * 86_400  # a browser whose clock is ahead by two days is not to renew at every step
_ALONE = ("unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "alone")


@dataclass
class Stage:
    """`url` is the app's; `slug` the client's, which is among `system.clients`."""

    system: System
    slug: str
    url: str
    deployment: Deployment
    browser: Browser
    pages: list[Page] = field(default_factory=list)

    @property
    def supabase_url(self) -> str:
        return self.deployment.variables["NEXT_PUBLIC_SUPABASE_URL"]

    def page(self, **options: object) -> Page:
        """A page of a new person: nothing is shared with other pages."""
        context = self.browser.new_context(base_url=self.url, locale="en-ZA", **options)  # pyright: ignore
        context.set_default_timeout(30_000)
        page = context.new_page()
        self.pages.append(page)
        return page

    def owner(self, **options: object) -> Page:
        """The owner, signed in by the password that they chose at their first visit."""
        page = self.page(**options)
        sign_in(page, OWNER)
        return page

    def mailed_link(self, recipient: str) -> str:
        """The newest link that the client's Auth has mailed to somebody."""
        return [mail["link"] for mail in self.system.sandbox.public("supabase_mail") if mail["to"] == recipient][-1]


def choose_password(page: Page) -> None:
    """What somebody does whom an invitation has led in."""
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("heading", name=re.compile("^Hello")).wait_for()


def sign_in(page: Page, email: str) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name=re.compile("^Hello")).wait_for()


@contextlib.contextmanager
def client_stage(server_dsn: str) -> Iterator[Stage]:
    """Everything, with a client whose owner has chosen a password."""
    with running_system(server_dsn, **{POSTGREST: str(ensure_postgrest())}) as system:
        settings = system.settings
        slug = asyncio.run(new_client(settings, Progress(console=Console(quiet=True)))).slug
        system.meet(slug)
        [ref] = [one["ref"] for one in system.sandbox.public("supabase")]
        management(system.sandbox, "PATCH", f"/projects/{ref}/config/auth", {"jwt_exp": SESSION_SECONDS})
        deployment = deployment_of(settings, slug)
        _lend_packages(deployment, FOLDER)
        build(deployment, FOLDER, inside=_ALONE if _can_be_alone() else ())
        url = serve(system.running, deployment, FOLDER)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            stage = Stage(system, slug, url, deployment, browser)
            page = stage.page()
            page.goto(welcome_link(settings))
            choose_password(page)
            page.context.close()
            yield stage
            browser.close()


def _can_be_alone() -> bool:
    """Whether a process here may have a network of its own, in which only itself is."""
    return subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode == 0


def _lend_packages(deployment: Deployment, folder: Path) -> None:
    """Those that `npm ci` has put beside the template from the same lock file, so that it need not do so twice."""
    packages = CLIENT_TEMPLATE / "node_modules"
    lock, told = CLIENT_TEMPLATE / "package-lock.json", packages / ".package-lock.json"
    is_same = told.exists() and told.stat().st_mtime >= lock.stat().st_mtime
    stamp = folder / INSTALLED
    if not is_same or (stamp.exists() and stamp.read_text() == deployment.lock):
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    subprocess.run(["cp", "-al", packages, folder / "node_modules"], check=True)
    stamp.write_text(deployment.lock)

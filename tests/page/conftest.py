"""Fixtures of these tests: the deployed health API, a browser, and the dashboard as a reader opens it."""

import base64
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis.configuration import set_hypothesis_home_dir
from playwright.sync_api import Browser, BrowserContext, Page

import chromium
from health_api import HealthApi
from tools import Failure, Stack

# Name that the reader gives with the password; it is stored in `resolved_by`.
READER = "Vérification"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", default="pages", help="deployed stack that is up (default: pages)")


def pytest_configure(config: pytest.Config) -> None:
    # As Ctrl-C does: a command that is told to end puts the stack's settings back first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    set_hypothesis_home_dir(Stack(config.getoption("stack")).dir / "hypothesis")


@pytest.fixture(scope="session")
def health(pytestconfig: pytest.Config) -> Iterator[HealthApi]:
    stack = Stack(pytestconfig.getoption("stack"))
    try:
        # Nothing else works on the stack meanwhile, least of all another run of these tests.
        with stack.locked():
            api = HealthApi(stack)
            with api.schema():
                yield api
    except Failure as failure:
        pytest.exit(str(failure), returncode=pytest.ExitCode.TESTS_FAILED)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    found = chromium.find()
    return browser_type_launch_args | {"executable_path": found.path, "env": found.env}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], health: HealthApi) -> dict[str, Any]:
    """A desktop in French whose browser knows the password."""
    basic = base64.b64encode(f"{READER}:{health.token}".encode()).decode()
    args = {"locale": "fr-CA", "extra_http_headers": {"Authorization": f"Basic {basic}"}}
    return browser_context_args | args | {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture
def dashboard(
    request: pytest.FixtureRequest, browser: Browser, browser_context_args: dict[str, Any], health: HealthApi
) -> Iterator[Page]:
    """The page of a mirror that has actions to close; an indirect parameter changes the browser's context."""
    health.fill("degraded")
    with browser.new_context(**browser_context_args | getattr(request, "param", {})) as context:
        yield open_dashboard(context, health)


def open_dashboard(context: BrowserContext, health: HealthApi) -> Page:
    """Opens the dashboard in a new page and waits until it loads nothing more."""
    context.set_default_timeout(10_000)
    context.add_init_script(path=Path(__file__).with_name("probes.js"))
    page = context.new_page()
    page.goto(health.dashboard, wait_until="networkidle")
    return page


def console(page: Page) -> list[str]:
    """Returns the page's errors, what its policy refused, and its dialogs."""
    return [message.text for message in page.console_messages()] + [str(error) for error in page.page_errors()]

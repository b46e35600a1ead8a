"""Every state of the page on every screen: accessibility, layout, words, and what the browser reports."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from conftest import console, open_dashboard
from health_api import HealthApi

ContextArgs = dict[str, Any]

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DEVICES: dict[str, ContextArgs] = {"phone": PHONE, "desktop": {}}

# The words by which the page must tell each state of the mirror.
VERDICTS = {"healthy": "En ordre", "degraded": "À surveiller", "unreachable": "En panne"}

AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module", params=VERDICTS)
def state(request: pytest.FixtureRequest, health: HealthApi) -> Iterator[str]:
    if request.param == "unreachable":
        with health.unreachable_database():
            yield request.param
    else:
        health.fill(request.param)
        yield request.param


@pytest.fixture(scope="module", params=itertools.product(DEVICES, ("light", "dark")), ids="-".join)
def dashboard(
    request: pytest.FixtureRequest, browser: Browser, browser_context_args: ContextArgs, health: HealthApi, state: str
) -> Iterator[Page]:
    """One visit for all tests of a state, a device and a colour scheme, and its screenshot."""
    device, scheme = request.param
    with browser.new_context(**browser_context_args | DEVICES[device] | {"color_scheme": scheme}) as context:
        page = open_dashboard(context, health)
        page.screenshot(path=health.stack.dir / "screenshots" / f"{state}-{device}-{scheme}.png", full_page=True)
        yield page


def test_status_and_headers_fit_the_state(dashboard: Page, state: str) -> None:
    response = dashboard.requests()[0].response()
    assert response
    assert response.status == (503 if state == "unreachable" else 200)
    # Sooner would be a burden, later would not be fresh.
    assert 15 <= int(response.headers["refresh"]) <= 600
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]


def test_page_requests_nothing_else(dashboard: Page) -> None:
    assert [request.url for request in dashboard.requests()[1:]] == []


def test_console_stays_empty(dashboard: Page, state: str) -> None:
    # A browser notes the documented 503 itself.
    assert [line for line in console(dashboard) if not (state == "unreachable" and "status of 503" in line)] == []


def test_states_are_said_in_words(dashboard: Page, state: str) -> None:
    assert VERDICTS[state] in " ".join(dashboard.get_by_role("status").all_inner_texts())
    cards = dashboard.locator("main li").all_inner_texts()
    assert cards or state == "unreachable"
    words = ("Pas encore connu", *VERDICTS.values())
    assert [card for card in cards if not any(word in card for word in words)] == []


def test_hostile_subject_is_shown_as_text(dashboard: Page, state: str) -> None:
    if state == "degraded":
        expect(dashboard.locator("main")).to_contain_text("<script>alert(1)</script>")


def test_page_is_no_wider_than_the_screen(dashboard: Page) -> None:
    # Sized by the device, not by the content: a page that is too wide widens the window of a phone.
    assert dashboard.evaluate("document.documentElement.scrollWidth - screen.width") <= 0


def test_short_words_are_not_split(dashboard: Page) -> None:
    assert dashboard.evaluate("splitWords()") == []


def test_axe_finds_no_violation(dashboard: Page) -> None:
    # Without its preload, which the page's policy would refuse.
    results = Axe().run(dashboard, options={"runOnly": AXE_RULES, "preload": False})
    assert results.response["passes"]
    assert results.violations_count == 0, results.generate_report()

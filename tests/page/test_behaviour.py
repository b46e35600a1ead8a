"""Behaviour of the page: password, languages, policy, keyboard, closing an action, refreshing itself."""

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from conftest import READER, console
from health_api import DASHBOARD, HealthApi

TABS_MAX = 60


def actions(page: Page) -> list[str]:
    """Returns the addresses that the buttons post to, from the top of the page."""
    return list(page.locator("main form").evaluate_all("forms => forms.map(form => form.getAttribute('action'))"))


@pytest.mark.parametrize(("password", "status"), [(None, 200), ("another", 401)], ids=["right", "wrong"])
def test_password_is_asked_for(browser: Browser, health: HealthApi, password: str | None, status: int) -> None:
    # A browser sends a password only after a challenge that it understands.
    with browser.new_context(http_credentials={"username": READER, "password": password or health.token}) as context:
        response = context.new_page().goto(health.dashboard)
        assert response
        assert response.status == status, response.headers.get("www-authenticate")


@pytest.mark.parametrize(
    ("dashboard", "language"),
    [({"locale": "fr-CA"}, "fr"), ({"locale": "en-CA"}, "en"), ({"locale": "de-DE"}, "fr")],
    indirect=["dashboard"],
)
def test_language_follows_the_browser(dashboard: Page, language: str) -> None:
    expect(dashboard.locator("html")).to_have_attribute("lang", re.compile(rf"^{language}(-|$)"))
    heading = {"fr": "À faire", "en": "To do"}[language]
    expect(dashboard.get_by_role("heading", name=heading).first).to_be_visible()


def test_policy_refuses_foreign_content(dashboard: Page) -> None:
    # That nothing was refused elsewhere could also mean that nothing ever is.
    with dashboard.expect_console_message(lambda message: "healthz" in message.text):
        dashboard.evaluate("addForeignContent()")
    assert len([line for line in console(dashboard) if "Content Security Policy" in line]) == 3
    assert dashboard.evaluate("window.ran") is None
    assert dashboard.evaluate("getComputedStyle(document.body).marginLeft") != "99px"


@pytest.mark.parametrize("dashboard", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_tab_reaches_every_button_in_order(dashboard: Page) -> None:
    reached = []
    for _ in range(TABS_MAX):
        dashboard.keyboard.press("Tab")
        focus = dashboard.evaluate("focusedElement()")
        if focus["tag"] in ("BODY", "HTML"):
            break
        # WCAG 2.4.13 and 1.4.11, for the outline that shows the focus.
        assert focus["width"] >= 2, focus
        assert focus["contrast"] >= 3, focus
        reached += [focus["action"]] if focus["action"] else []
    assert reached
    assert reached == actions(dashboard)


def test_enter_closes_an_action_for_good(dashboard: Page, health: HealthApi) -> None:
    before, subjects = actions(dashboard), ["<script>alert(1)</script>", "usr_9f3c"]
    for subject in subjects:
        button = dashboard.get_by_role("button", name=subject)
        for _ in range(TABS_MAX):
            dashboard.keyboard.press("Tab")
            if button.evaluate("button => button === document.activeElement"):
                break
        with dashboard.expect_navigation(url=f"**{DASHBOARD}"):
            dashboard.keyboard.press("Enter")
        expect(dashboard.locator("main")).not_to_contain_text(subject)
        expect(button).to_have_count(0)
    closed = "select subject, resolved_by from admin_actions where resolved_at > now() - interval '1 minute'"
    assert sorted(health.query(closed).splitlines()) == [f"{subject}\t{READER}" for subject in subjects]
    after = actions(dashboard)
    assert after == [action for action in before if action in after]
    assert len(after) == len(before) - len(subjects)
    assert console(dashboard) == []


def test_page_refreshes_itself(dashboard: Page, health: HealthApi) -> None:
    def shorten(route: Route) -> None:
        # Nothing but the minute that the header asks for is changed.
        response = route.fetch(url=health.gateway + DASHBOARD, headers=route.request.headers | {"host": health.host})
        assert "refresh" in response.headers
        route.fulfill(response=response, headers=response.headers | {"refresh": "1"})

    dashboard.route("**", shorten)
    dashboard.reload()
    health.query("insert into admin_actions (kind, entity, subject) values ('unmatched', 'users', 'Entre-temps')")
    expect(dashboard.get_by_text("Entre-temps")).to_be_visible(timeout=15_000)

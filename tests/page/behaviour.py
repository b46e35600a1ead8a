"""What the page does: languages, the keyboard, closing an action, renewing itself, refusing what is not its own."""

from __future__ import annotations

import time
from typing import Any

import states
from ground import DASHBOARD, Ground
from playwright.sync_api import Browser, Page
from tally import Tally
from visit import PERSON, shown, visit

FOCUS = """() => {
    const channels = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const luminance = text => channels(text).map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const focused = document.activeElement, style = getComputedStyle(focused);
    let ground = focused.parentElement;
    while (ground && /^rgba\\(.*, 0\\)$/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const two = [style.outlineColor, ground ? getComputedStyle(ground).backgroundColor : 'rgb(255, 255, 255)'].map(luminance);
    return {
        name: focused.tagName, action: focused.form ? focused.form.getAttribute('action') : null,
        width: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        contrast: (Math.max(...two) + .05) / (Math.min(...two) + .05),
    };
}"""

CONTRAST_MIN = 3.0
"""WCAG 1.4.11, of what shows where the focus is."""

TABS_MAX = 60

SOON_SECONDS = 1
"""Instead of the minute that the page asks for."""


def check_behaviour(browser: Browser, ground: Ground, tally: Tally) -> None:
    states.degraded(ground)
    _password(browser, ground, tally)
    _languages(browser, ground, tally)
    _policy_bites(browser, ground, tally)
    for scheme in ("light", "dark"):
        _focus(browser, ground, scheme, tally)
    _close(browser, ground, tally)
    _renewal(browser, ground, tally)


def _password(browser: Browser, ground: Ground, tally: Tally) -> None:
    """A browser asks for a name and a password only where it understands who asks."""
    problems = []
    for password, expected in ((ground.token, 200), ("un autre", 401)):
        context = browser.new_context(http_credentials={"username": PERSON, "password": password})
        try:
            response = context.new_page().goto(ground.address)
            assert response is not None
            if response.status != expected:
                challenge = response.headers.get("www-authenticate")
                problems.append(f"réponse {response.status} au lieu de {expected} ; WWW-Authenticate: {challenge}")
        finally:
            context.close()
    tally.check("mot de passe demandé", "le bon ouvre la page, un autre non", problems)


def _languages(browser: Browser, ground: Ground, tally: Tally) -> None:
    problems = []
    wanted = {"fr-CA": "fr", "en-CA": "en", "de-DE": "fr"}
    for locale, language in wanted.items():
        with visit(browser, ground, locale=locale) as seen:
            code = seen.page.locator("html").get_attribute("lang") or ""
            if code.split("-")[0] != language:
                problems.append(f"Accept-Language {locale} : lang={code} au lieu de {language}")
            word = {"fr": "À faire", "en": "To do"}[language]
            if not any(word in title for title in seen.page.get_by_role("heading").all_inner_texts()):
                problems.append(f"Accept-Language {locale} : « {word} » n'y est pas")
    tally.check("langues", ", ".join(f"{locale} → {language}" for locale, language in wanted.items()), problems)


def _policy_bites(browser: Browser, ground: Ground, tally: Tally) -> None:
    """That nothing was refused could also mean that nothing ever is."""
    with visit(browser, ground) as seen:
        seen.page.evaluate("""() => {
            const script = document.createElement('script'); script.textContent = 'window.ran = true'; document.head.append(script);
            const style = document.createElement('style'); style.textContent = 'body { margin: 99px }'; document.head.append(style);
            document.body.append(Object.assign(new Image(), { src: '/healthz' }));
        }""")
        seen.page.wait_for_timeout(200)
        refused = sorted({line.split()[0] for line in seen.refused()})
        problems = []
        if seen.page.evaluate("window.ran === true"):
            problems.append("un script ajouté s'est exécuté")
        if seen.page.evaluate("getComputedStyle(document.body).marginLeft") == "99px":
            problems.append("un style ajouté s'est appliqué")
        if len(refused) != 3:
            problems.append(f"refusés seulement : {refused}")
    tally.check("politique appliquée", f"refusés : {', '.join(refused)}", problems)


def _actions(page: Page) -> list[str]:
    """The addresses that the buttons post to, from the top of the page."""
    return [str(form.get_attribute("action")) for form in page.locator("main form").all()]


def _focus(browser: Browser, ground: Ground, scheme: Any, tally: Tally) -> None:
    problems, reached, least = [], [], 99.0
    with visit(browser, ground, scheme=scheme) as seen:
        expected = _actions(seen.page)
        for _ in range(TABS_MAX):
            seen.page.keyboard.press("Tab")
            focus = seen.page.evaluate(FOCUS)
            if focus["name"] in ("BODY", "HTML"):
                break
            least = min(least, focus["contrast"])
            what = f"{focus['name']} {focus['action'] or ''}".strip()
            if focus["width"] < 2:
                problems.append(f"{what} : le focus ne se voit pas (contour de {focus['width']} px)")
            elif focus["contrast"] < CONTRAST_MIN:
                problems.append(f"{what} : contour de contraste {focus['contrast']:.1f}")
            if focus["action"]:
                reached.append(focus["action"])
        if not expected or reached != expected:
            problems.append(f"{len(reached)} boutons atteints sur {len(expected)}, ou dans un autre ordre")
    tally.check(f"clavier, {scheme}", f"{len(reached)} boutons sur {len(expected)} dans l'ordre, contraste du contour d'au moins {least:.1f}", problems)


def _close(browser: Browser, ground: Ground, tally: Tally) -> None:
    problems = []
    with visit(browser, ground) as seen:
        page, before = seen.page, _actions(seen.page)
        for subject in (states.HOSTILE, "usr_9f3c"):
            identity = ground.query(f"select id from admin_actions where subject = '{subject}'").strip()
            button = page.locator(f"form[action*='{identity}'] button")
            while not button.evaluate("button => button === document.activeElement"):
                page.keyboard.press("Tab")
            with page.expect_navigation(url=f"**{DASHBOARD}"):
                page.keyboard.press("Enter")
            closed = ground.query(f"select resolved_at > now() - interval '1 minute', resolved_by from admin_actions where id = '{identity}'").strip()
            if closed != f"t\t{PERSON}":
                problems.append(f"{subject} : la base dit « {closed} »")
            if button.count() or subject in page.locator("main").inner_text():
                problems.append(f"{subject} : la page le montre encore")
        after = _actions(page)
        if after != [action for action in before if action in after] or len(before) - len(after) != 2:
            problems.append(f"{len(before)} actions avant, {len(after)} après")
        problems += [f"dialogue : {text}" for text in seen.dialogs] + [f"refusé : {text}" for text in seen.refused()]
    tally.check("fermer par Entrée", f"{len(before)} actions, 2 fermées au nom de « {PERSON} », {len(after)} montrées", problems)


def _renewal(browser: Browser, ground: Ground, tally: Tally) -> None:
    """The page's own header, with a shorter time: it comes back by itself, with what is new."""
    context = browser.new_context(locale="fr-CA", extra_http_headers=shown(ground))
    problems = []
    try:
        page = context.new_page()
        session = context.new_cdp_session(page)

        def hurry(event: dict[str, Any]) -> None:
            headers = [
                {"name": header["name"], "value": str(SOON_SECONDS) if header["name"].lower() == "refresh" else header["value"]}
                for header in event["responseHeaders"]
            ]
            session.send("Fetch.continueResponse", {"requestId": event["requestId"], "responseCode": event["responseStatusCode"], "responseHeaders": headers})

        session.on("Fetch.requestPaused", hurry)
        session.send("Fetch.enable", {"patterns": [{"urlPattern": "*", "requestStage": "Response"}]})
        page.goto(ground.address)
        ground.query("insert into admin_actions (kind, entity, subject) values ('unmatched', 'users', 'Arrivée entre-temps')")
        begin = time.monotonic()
        try:
            page.get_by_text("Arrivée entre-temps").wait_for(timeout=15_000)
        except Exception as error:  # playwright's own, of several kinds
            problems.append(f"la page ne s'est pas renouvelée : {str(error).splitlines()[0]}")
        waited = time.monotonic() - begin
    finally:
        context.close()
    tally.check("renouvellement", f"une action nouvelle est montrée d'elle-même après {waited:.1f} s (délai ramené à {SOON_SECONDS} s)", problems)

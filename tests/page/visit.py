"""A browser's visit to the dashboard, with everything that it noticed on the way."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
from ground import Ground
from playwright.sync_api import Browser, Page, Response

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    # Nothing but the page is loaded: its policy would refuse it.
    "preload": False,
    "resultTypes": ["violations", "incomplete"],
}

DEVICES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}
SCHEMES = ("light", "dark")

PERSON = "Vérification"
"""The name that stands in `resolved_by`."""

PATIENCE_MS = 10_000

WATCH = "window.refused = []; addEventListener('securitypolicyviolation', event => refused.push(event.violatedDirective + ' ' + event.blockedURI));"


@dataclass
class Visit:
    """A page that is open, and what was noticed."""

    page: Page
    response: Response
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def refused(self) -> list[str]:
        """What the page's own policy has refused it."""
        return list(self.page.evaluate("window.refused"))

    def axe(self) -> dict[str, Any]:
        """What axe says of the page."""
        self.page.evaluate(AXE)
        return dict(self.page.evaluate("options => axe.run(document, options)", AXE_OPTIONS))


def shown(ground: Ground) -> dict[str, str]:
    """The name and the password as a browser shows them."""
    words = base64.b64encode(f"{PERSON}:{ground.token}".encode()).decode()
    return {"Authorization": f"Basic {words}"}


@contextlib.contextmanager
def visit(browser: Browser, ground: Ground, device: str = "desktop", scheme: Any = "light", locale: str = "fr-CA") -> Iterator[Visit]:
    """Opens the dashboard as a browser does that knows the password."""
    context = browser.new_context(**DEVICES[device], color_scheme=scheme, locale=locale, extra_http_headers=shown(ground))
    context.set_default_timeout(PATIENCE_MS)
    try:
        context.add_init_script(WATCH)
        page = context.new_page()
        seen = Visit(page, response=None)  # type: ignore[arg-type]
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.console.append(f"{message.type} : {message.text}"))
        page.on("pageerror", lambda error: seen.console.append(f"erreur : {error}"))
        page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
        response = page.goto(ground.address, wait_until="networkidle")
        assert response is not None
        seen.response = response
        yield seen
    finally:
        context.close()

"""The README's one picture: a mirror that is well, with one thing for a person to look at."""

from __future__ import annotations

from pathlib import Path

import states
from ground import Ground
from playwright.sync_api import Browser
from tools import Failure, say
from visit import DEVICES, visit

BYTES_MAX = 200 * 1024

MARGIN = 20
"""Pixels below the last card."""


def take(browser: Browser, ground: Ground, file: Path) -> None:
    """Renders the picture anew."""
    states.healthy(ground)
    with visit(browser, ground) as seen:
        # Down to the cards: the runs below them would only make the picture longer.
        box = seen.page.locator("main .cards").bounding_box()
        if box is None:
            raise Failure("La page ne montre aucune entité.")
        width = DEVICES["desktop"]["viewport"]["width"]
        seen.page.screenshot(path=file, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": box["y"] + box["height"] + MARGIN})
    size = file.stat().st_size
    if size > BYTES_MAX:
        raise Failure(f"{file} : {size // 1024} Kio, plus que {BYTES_MAX // 1024}.")
    say(f"{file} : {size // 1024} Kio.")

"""Renders the README's picture, a healthy mirror with one action: pytest tests/page/picture.py --stack NAME"""

from playwright.sync_api import FloatRect, Page

from health_api import HealthApi
from tools import ROOT

FILE = ROOT / "docs" / "dashboard.png"
BYTES_MAX = 200 * 1024


def test_picture(dashboard: Page, health: HealthApi) -> None:
    health.fill("healthy")
    dashboard.reload(wait_until="networkidle")
    # Down to the cards and 20 pixels more: the runs below them would only make the picture longer.
    cards = dashboard.locator("main .cards").bounding_box()
    assert cards, "the page shows no entity"
    clip = FloatRect(x=0, y=0, width=dashboard.evaluate("screen.width"), height=cards["y"] + cards["height"] + 20)
    dashboard.screenshot(path=FILE, full_page=True, clip=clip)
    assert FILE.stat().st_size <= BYTES_MAX

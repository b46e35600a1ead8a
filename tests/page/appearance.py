"""Every state of the page on every screen: pictures, accessibility, and what a browser has to say."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import states
from ground import Ground
from playwright.sync_api import Browser
from tally import Tally
from visit import DEVICES, SCHEMES, Visit, visit

REFRESH_SECONDS = range(15, 601)
"""Sooner would be a burden, later would not be fresh."""

WHOLE = 14
"""Characters of a word that must stand on one line: a column that splits these cannot be read."""

SPLIT = """limit => {
    const split = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/[^\\s-]+/g)) {
        if (word[0].length > limit) continue;
        const range = document.createRange();
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(line => Math.round(line.top))).size > 1) split.push(word[0]);
    }
    return split;
}"""

WORDS = ("En ordre", "Pas encore connu", "À surveiller", "En panne")


class Appearance:
    """What twelve visits have found, by check."""

    def __init__(self) -> None:
        self.pages = 0
        self.rules = 0
        self.undecided: Counter[str] = Counter()
        self.requests = 0
        self.widest = 0
        self.refresh: set[str] = set()
        self.problems: dict[str, list[str]] = {name: [] for name in ("axe", "console", "requests", "policy", "width", "status", "refresh", "text", "split")}

    def look(self, seen: Visit, state: str, device: str, scheme: str, folder: Path) -> None:
        where = f"{state}, {device}, {scheme}"
        self.pages += 1
        self._noticed(seen, state, where)
        self._said(seen, state, where)
        # Sized by the device, not by the content: a page that is too wide widens the window of a phone.
        room = DEVICES[device]["viewport"]["width"]
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        if device == "phone":
            self.widest = max(self.widest, width)
        if width > room:
            self._wrong("width", where, f"{width} px pour {room}")
        split = seen.page.evaluate(SPLIT, WHOLE)
        if split:
            self._wrong("split", where, f"{len(split)} mots, dont {', '.join(list(dict.fromkeys(split))[:8])}")
        seen.page.screenshot(path=folder / f"{state}-{device}-{scheme}.png", full_page=True)
        found = seen.axe()
        self.rules += len(found["passes"])
        self.undecided.update(rule["id"] for rule in found["incomplete"])
        for rule in found["violations"]:
            for node in rule["nodes"]:
                self._wrong("axe", where, f"{rule['id']} ({rule['help']}) : {node['html'][:160]}")

    def _noticed(self, seen: Visit, state: str, where: str) -> None:
        expected = 503 if state == "unreachable" else 200
        if seen.response.status != expected:
            self._wrong("status", where, f"réponse {seen.response.status} au lieu de {expected}")
        for line in seen.console:
            # A browser notes the documented 503 itself.
            if not (state == "unreachable" and "503" in line):
                self._wrong("console", where, line)
        self.requests += len(seen.requests)
        for other in seen.requests[1:]:
            self._wrong("requests", where, other)
        policy = seen.response.headers.get("content-security-policy", "")
        if "default-src 'none'" not in policy or "unsafe" in policy:
            self._wrong("policy", where, f"« {policy} »")
        for refused in seen.refused():
            self._wrong("policy", where, f"refusé : {refused}")
        asked = seen.response.headers.get("refresh", "")
        self.refresh.add(asked)
        if not asked.isdigit() or int(asked) not in REFRESH_SECONDS:
            self._wrong("refresh", where, f"« {asked} »")

    def _said(self, seen: Visit, state: str, where: str) -> None:
        verdict = " ".join(seen.page.get_by_role("status").all_inner_texts()).strip()
        if states.VERDICT[state] not in verdict:
            self._wrong("status", where, f"« {verdict} » au lieu de « {states.VERDICT[state]} »")
        cards = [card.inner_text() for card in seen.page.locator("main li").all()]
        if state != "unreachable" and not cards:
            self._wrong("status", where, "aucune entité")
        for card in cards:
            if not any(word in card for word in WORDS):
                self._wrong("status", where, f"une entité sans état en mots : {card.splitlines()[:1]}")
        if state == "degraded" and states.HOSTILE not in seen.page.locator("main").inner_text():
            self._wrong("text", where, "le sujet hostile n'est pas montré tel quel")
        for dialog in seen.dialogs:
            self._wrong("text", where, f"un dialogue s'est ouvert : {dialog}")

    def _wrong(self, check: str, where: str, what: str) -> None:
        self.problems[check].append(f"{where} : {what}")

    def tell(self, tally: Tally) -> None:
        pages = f"{self.pages} pages"
        undecided = ", ".join(sorted(self.undecided)) or "aucune"
        tally.check("axe", f"{pages}, {self.rules} règles passées, {len(self.problems['axe'])} violation(s), indécises : {undecided}", self.problems["axe"])
        tally.check("console", f"{pages}, {len(self.problems['console'])} message(s)", self.problems["console"])
        tally.check("requêtes", f"{self.requests} pour {pages}, {len(self.problems['requests'])} vers autre chose", self.problems["requests"])
        tally.check("politique de contenu", f"{pages}, {len(self.problems['policy'])} refus", self.problems["policy"])
        tally.check("largeur", f"au plus {self.widest} px sur un téléphone de {DEVICES['phone']['viewport']['width']}", self.problems["width"])
        tally.check("mots entiers", f"{pages}, aucun mot de {WHOLE} caractères ou moins n'est coupé", self.problems["split"])
        tally.check("état dit en mots", f"{pages}, {len(states.VERDICT)} états", self.problems["status"])
        tally.check("renouvellement annoncé", f"toutes les {', '.join(sorted(self.refresh))} s", self.problems["refresh"])
        tally.check("sujet hostile", f"montré comme du texte, {len(self.problems['text'])} dialogue", self.problems["text"])


def look_at_everything(browser: Browser, ground: Ground, folder: Path, tally: Tally) -> None:
    """Twelve pages; the database is there again afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Appearance()
    for state, fill in states.FILL.items():
        fill(ground)
        for device, scheme in itertools.product(DEVICES, SCHEMES):
            with visit(browser, ground, device, scheme) as seen:
                found.look(seen, state, device, scheme, folder)
    ground.use_database()
    found.tell(tally)

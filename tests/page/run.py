"""The dashboard in a real browser, and the health API against its contract, on a deployed stack that is up."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "infra" / "local"))

import environment
import tools
from tools import VENV_TEST, Failure, Stack, say


def main() -> int:
    args = _arguments()
    # A command that is told to end puts everything back first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        environment.enter(VENV_TEST, tools.HERE / "requirements-test.txt")
        return _run(Stack(args.stack).load(), args)
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n✗ Interrompu.", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="La page dans un vrai navigateur, et l'API de santé contre son contrat.")
    parser.add_argument("--stack", default="page", metavar="NOM", help="pile déployée, démarrée (page)")
    parser.add_argument("--only", choices=("page", "contract"), help="une des deux parties seulement")
    parser.add_argument("--picture", type=Path, metavar="FICHIER", help="ne fait que l'image du README")
    return parser.parse_args()


def _run(stack: Stack, args: argparse.Namespace) -> int:
    import appearance
    import behaviour
    import chromium
    import contract
    import picture
    from ground import Ground
    from playwright.sync_api import sync_playwright
    from tally import Tally

    begin = time.monotonic()
    tally = Tally()
    found = None if args.only == "contract" else chromium.find()
    # Nothing else works on the stack meanwhile, least of all another run of this.
    with stack.locked(), Ground(stack) as ground:
        if found:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=found.path, env=found.env)
                try:
                    if args.picture:
                        picture.take(browser, ground, args.picture)
                        return 0
                    say(f"La page dans Chromium {browser.version}…")
                    appearance.look_at_everything(browser, ground, stack.dir / "screenshots", tally)
                    behaviour.check_behaviour(browser, ground, tally)
                finally:
                    browser.close()
        if args.only != "page":
            say("L'API de santé contre infra/openapi.yaml…")
            contract.check_contract(ground, stack.dir / "contract", tally)
    code = tally.end()
    say(f"{time.monotonic() - begin:.0f} s. Images : {stack.dir / 'screenshots'}")
    return code


if __name__ == "__main__":
    sys.exit(main())

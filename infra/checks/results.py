"""Prints what a check found, and runs a check on a deployed local stack: shared by the scripts of this folder.

pytest would print results too, but each script here is one long story on one stack, not a set of independent tests.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "local"))

from tools import Failure, Stack

Results = Iterable[tuple[bool, str]]


def finish(check: Callable[[], Results]) -> None:
    """Prints each result as it comes, then the totals; ends the program with 1 if one failed."""
    count = [0, 0]
    try:
        for passed, text in check():
            print(f"{'✓' if passed else '✗'} {text}", flush=True)
            count[passed] += 1
    except Failure as failure:
        sys.exit(f"\n✗ {failure}")
    print(f"{count[True]} passed, {count[False]} failed")
    sys.exit(1 if count[False] or not count[True] else 0)


def finish_on_stack(description: str, check: Callable[..., Results], option: str, **settings: Any) -> None:
    """Reads `--stack NAME` and one more option; runs `check(stack, option)` while no other command is at work."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--stack", required=True, metavar="NOM", help="pile locale, démarrée")
    parser.add_argument(option, dest="option", **settings)
    args = parser.parse_args()
    stack = Stack(args.stack)

    def locked() -> Results:
        with stack.locked():
            if not stack.data.get("outputs"):
                raise Failure(f"La pile « {stack.name} » n'est pas déployée : stack.py up --name {stack.name}")
            yield from check(stack, args.option)

    finish(locked)

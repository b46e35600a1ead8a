"""What was checked and what was found: a line per check, as it ends."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tally:
    """The checks so far."""

    checks: int = 0
    failed: list[str] = field(default_factory=list)

    def check(self, name: str, figures: str, problems: list[str]) -> None:
        """One check: its figures when it holds, else everything that is wrong."""
        self.checks += 1
        if not problems:
            print(f"✓ {name} : {figures}", flush=True)
            return
        self.failed.append(name)
        print(f"✗ {name} : {figures}", flush=True)
        # The same thing on several pages is said once.
        for problem in dict.fromkeys(problems):
            print(f"    - {problem}", flush=True)

    def end(self) -> int:
        """The last line, and the exit code."""
        if self.failed:
            print(f"\n✗ {len(self.failed)} vérification(s) sur {self.checks} en échec : {', '.join(self.failed)}")
            return 1
        print(f"\n✓ {self.checks} vérifications, aucune en échec")
        return 0

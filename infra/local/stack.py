#!/usr/bin/env python3
"""A local AWS, a PostgreSQL and a simulated Gazelle around the real template.yaml: no Docker, no account, no root.

Python 3.10 or newer and its standard library are enough to start; the tools go to .local/venv.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import debian
import deploy
import emulator
import environment
import postgres
import simulator
import tools
from tools import HERE, VENV, Failure, Stack, say

USAGE = """La pile locale : AWS, PostgreSQL et Gazelle simulés, le vrai template.yaml.

  up         démarre ce qui manque et déploie ce qui a changé
  run        up, puis une synchronisation complète et son tableau
  down       arrête tout ce que la pile a démarré
  env        écrit les variables d'environnement, pour eval
  logs       montre et suit les journaux
  postgres   démarre seulement PostgreSQL et écrit son adresse
  schedules  met la planification fréquente dans l'état de --schedules
  pgbouncer  installe PgBouncer, pour les tests, et écrit où il est
  setup      installe seulement les outils
"""


def main() -> int:
    if sys.version_info < (3, 10):  # noqa: UP036 - an older Python gets here, and no further.
        sys.exit("Python 3.10 ou plus récent est nécessaire.")
    parser = argparse.ArgumentParser(description=USAGE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS, metavar="commande")
    parser.add_argument("--name", default="dev", help="nom de la pile (dev)")
    states = "up, run, schedules : planifications (dev : ENABLED, autres : DISABLED)"
    parser.add_argument("--schedules", choices=("ENABLED", "DISABLED"), help=states)
    parser.add_argument("--sim-args", metavar="MOTS", help="up, run : monde simulé, --sim-args='--clients 50'")
    parser.add_argument("--purge", action="store_true", help="down : efface aussi les données")
    parser.add_argument("--lambda", dest="for_lambda", action="store_true", help="env : pour cargo lambda watch")
    parser.add_argument("--no-follow", action="store_true", help="logs : montre sans suivre")
    args = parser.parse_args()
    args.schedules = args.schedules or ("ENABLED" if args.name == "dev" else "DISABLED")
    try:
        if platform.system() != "Linux":
            raise Failure("La pile locale a besoin de Linux : elle exécute les binaires que Lambda exécute.")
        environment.enter(VENV, HERE / "requirements.txt")
        return COMMANDS[args.command](Stack(args.name).load(), args) or 0
    except Failure as failure:
        sys.exit(f"\n✗ {failure}")
    except KeyboardInterrupt:
        print("\n✗ Interrompu.", file=sys.stderr)
        return 130


def up(stack: Stack, args: argparse.Namespace) -> None:
    with stack.locked():
        _up(stack, args)
    say(f"La pile « {stack.name} » est prête.")


def _up(stack: Stack, args: argparse.Namespace) -> None:
    deploy.build()
    begin = time.monotonic()
    with contextlib.ExitStack() as started:
        # What ran before this call goes on; what this call began, it ends where it fails.
        if postgres.up(stack):
            started.callback(postgres.down, stack)
        deploy.migrate(stack)
        if simulator.up(stack, deploy.binary("gazelle-sim"), args.sim_args):
            started.callback(simulator.down, stack)
        if emulator.up(stack):
            started.callback(emulator.down, stack)
        deploy.deploy(stack, args.schedules)
        started.pop_all()
    say(f"Pile démarrée en {time.monotonic() - begin:.1f} s (hors compilation).")


def run(stack: Stack, args: argparse.Namespace) -> int:
    import report

    with stack.locked():
        _up(stack, args)
        return report.run(stack, args.schedules)


def down(stack: Stack, args: argparse.Namespace) -> None:
    with stack.locked():
        ended = [part.down(stack) for part in (emulator, simulator, postgres)]
        if args.purge:
            postgres.purge(stack)
            shutil.rmtree(stack.dir / "build", ignore_errors=True)
            for name in ("lambda.env", "stack.json"):
                (stack.dir / name).unlink(missing_ok=True)
    say(f"La pile « {stack.name} » {'est arrêtée' if any(ended) else 'était déjà arrêtée'}.")


def env(stack: Stack, args: argparse.Namespace) -> None:
    if not tools.is_running(stack, "aws") and not postgres.is_running(stack):
        raise Failure(f"La pile « {stack.name} » n'est pas démarrée : stack.py up --name {stack.name}")
    if args.for_lambda:
        print(deploy.write_lambda_env(stack))
    else:
        print("\n".join(f"export {key}={shlex.quote(value)}" for key, value in deploy.exports(stack).items()))


def logs(stack: Stack, args: argparse.Namespace) -> None:
    files = sorted(path for path in stack.logs.glob("*.log") if path.stat().st_size)
    if not files:
        raise Failure(f"Aucun journal dans {stack.logs}.")
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(["tail", "-n", "40", *([] if args.no_follow else ["-F"]), *files], check=False)


def only_postgres(stack: Stack, _: argparse.Namespace) -> None:
    with stack.locked():
        postgres.up(stack)
    print(postgres.url(stack))


COMMANDS: dict[str, Callable[[Stack, argparse.Namespace], int | None]] = {
    "up": up,
    "run": run,
    "down": down,
    "env": env,
    "logs": logs,
    "postgres": only_postgres,
    "schedules": lambda stack, args: deploy.set_schedules(stack, args.schedules, '{"entity":"all"}'),
    "pgbouncer": lambda *_: print(debian.pgbouncer()),
    "setup": lambda *_: None,
}

if __name__ == "__main__":
    sys.exit(main())

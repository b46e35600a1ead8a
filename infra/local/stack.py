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

if sys.version_info < (3, 10):
    sys.exit("Python 3.10 ou plus récent est nécessaire.")

import environment
import tools
from tools import HERE, VENV, Failure, Stack, say


def main() -> int:
    args = _arguments()
    try:
        if platform.system() != "Linux":
            raise Failure("La pile locale a besoin de Linux : elle exécute les binaires que Lambda exécute.")
        environment.enter(VENV, HERE / "requirements.txt")
        if args.command == "setup":
            return 0
        stack = Stack(args.name).load()
        return int(COMMANDS[args.command](stack, args))
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n✗ Interrompu.", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stack.py", description="La pile locale : AWS, PostgreSQL et Gazelle simulés, le vrai template.yaml.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="commande")
    explained = {
        "up": "démarre ce qui manque et déploie ce qui a changé",
        "run": "up, puis une synchronisation complète et son tableau",
        "down": "arrête tout ce que la pile a démarré",
        "env": "écrit les variables d'environnement, pour eval",
        "logs": "montre et suit les journaux",
        "postgres": "démarre seulement PostgreSQL et écrit son adresse",
        "drill": "cause chaque panne plusieurs fois et mesure le délai jusqu'à l'alerte",
        "counts": "vérifie que les comptes de chaque exécution s'additionnent",
        "pgbouncer": "installe PgBouncer, pour les tests, et écrit où il est",
        "setup": "installe seulement les outils",
    }
    for name, text in explained.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--name", default="dev", help="nom de la pile (dev)")
        if name in ("up", "run"):
            command.add_argument("--schedules", choices=("ENABLED", "DISABLED"), help="planifications (dev : ENABLED, autres : DISABLED)")
            command.add_argument("--sim-args", metavar="MOTS", help="monde simulé : --sim-args='--clients 50 --timeline 1000'")
        if name == "down":
            command.add_argument("--purge", action="store_true", help="efface aussi les données")
        if name == "drill":
            command.add_argument("--rounds", type=int, default=10, help="fois par panne (10)")
            command.add_argument("--only", metavar="PANNE", help="seulement les pannes dont le nom contient un de ces mots, séparés par des virgules")
        if name == "env":
            command.add_argument("--lambda", dest="lambda_env", action="store_true", help="écrit lambda.env pour cargo lambda watch")
        if name == "logs":
            command.add_argument("--no-follow", action="store_true", help="montre sans suivre")
    return parser.parse_args()


# ----------------------------------------------------------------------------- commands


def up(stack: Stack, args: argparse.Namespace) -> int:
    with stack.locked():
        _up(stack, args)
    say(f"La pile « {stack.name} » est prête.")
    return 0


def _up(stack: Stack, args: argparse.Namespace) -> None:
    import deploy
    import emulator
    import letterbox
    import postgres
    import simulator

    deploy.build()
    started: list[Callable[[Stack], bool]] = []
    begin = time.monotonic()
    try:
        if postgres.up(stack):
            started.append(postgres.down)
        deploy.migrate(stack)
        if simulator.up(stack, args.sim_args):
            started.append(simulator.down)
        if letterbox.up(stack):
            started.append(letterbox.down)
        if emulator.up(stack):
            started.append(emulator.down)
        deploy.deploy(stack, _schedules(stack, args))
    except BaseException:
        # What ran before this call goes on; what this call began, it ends.
        if started:
            say("Démarrage interrompu : arrêt de ce qui venait d'être démarré.")
        for end in reversed(started):
            end(stack)
        raise
    say(f"Pile démarrée en {time.monotonic() - begin:.1f} s (hors compilation).")


def _schedules(stack: Stack, args: argparse.Namespace) -> str:
    return str(args.schedules or ("ENABLED" if stack.name == "dev" else "DISABLED"))


def run(stack: Stack, args: argparse.Namespace) -> int:
    import report

    with stack.locked():
        _up(stack, args)
        return report.run(stack, _schedules(stack, args))


def down(stack: Stack, args: argparse.Namespace) -> int:
    import emulator
    import letterbox
    import postgres
    import simulator

    with stack.locked():
        ended = [part.down(stack) for part in (emulator, letterbox, simulator, postgres)]
        if args.purge:
            postgres.purge(stack)
            for name in ("build", "lambda.env", "simulator.port", "stack.json"):
                path = stack.dir / name
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    say(f"La pile « {stack.name} » {'est arrêtée' if any(ended) else 'était déjà arrêtée'}.")
    return 0


def env(stack: Stack, args: argparse.Namespace) -> int:
    import deploy

    if not tools.is_running(stack, "aws") and not tools.is_running(stack, "postgres"):
        raise Failure(f"La pile « {stack.name} » n'est pas démarrée : stack.py up --name {stack.name}")
    if args.lambda_env:
        print(deploy.write_lambda_env(stack))
        return 0
    for key, value in deploy.exports(stack).items():
        print(f"export {key}={shlex.quote(value)}")
    return 0


def logs(stack: Stack, args: argparse.Namespace) -> int:
    files = sorted(path for path in stack.logs.glob("*.log") if path.stat().st_size)
    if not files:
        raise Failure(f"Aucun journal dans {stack.logs}.")
    with contextlib.suppress(KeyboardInterrupt):
        follow = [] if args.no_follow else ["-F"]
        subprocess.run(["tail", "-n", "40", *follow, *map(str, files)], check=False)
    return 0


def only_postgres(stack: Stack, _: argparse.Namespace) -> int:
    import postgres

    with stack.locked():
        postgres.up(stack)
    print(postgres.url(stack))
    return 0


COUNTS = """
    select count(*), count(*) filter (where records_fetched <> records_staged + records_duplicate + records_quarantined
        or records_staged <> records_processed + records_unchanged + records_skipped + records_failed + records_pending
        or records_pending < 0 or (status = 'success' and records_pending > 0) or (status <> 'running' and completed_at is null))
    from {schema}.sync_status"""
"""Every run, and those whose counts do not add up."""


def counts(stack: Stack, _: argparse.Namespace) -> int:
    import deploy
    import postgres

    runs, wrong = map(int, postgres.query(stack, COUNTS.format(schema=deploy.DATABASE_SCHEMA)).split("\t"))
    if wrong or not runs:
        raise Failure(f"Les comptes de {wrong} exécutions sur {runs} ne s'additionnent pas : voir sync_status.")
    say(f"Les comptes des {runs} exécutions s'additionnent.")
    return 0


def drill(stack: Stack, args: argparse.Namespace) -> int:
    import drill as drills

    if not stack.data.get("outputs"):
        raise Failure(f"La pile « {stack.name} » n'est pas déployée : stack.py up --name {stack.name}")
    return drills.run(stack, args.rounds, args.only)


def pooler(stack: Stack, _: argparse.Namespace) -> int:
    import pgbouncer

    print(pgbouncer.find())
    return 0


COMMANDS: dict[str, Callable[[Stack, argparse.Namespace], int]] = {
    "up": up, "run": run, "down": down, "env": env, "logs": logs, "postgres": only_postgres, "drill": drill, "counts": counts,
    "pgbouncer": pooler,
}

if __name__ == "__main__":
    sys.exit(main())

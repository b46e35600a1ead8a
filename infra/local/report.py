"""The main job, told as it happens: one full sync of every entity, then a table of what became of each record."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import deploy
import emulator
import postgres
from tools import Failure, Stack, say

FETCH_LIMIT_S = 910
"""A little more than the fetcher's own timeout, so that its answer is what ends the wait."""

DRAIN_LIMIT_S = 900
"""How long staging and promotion may take after the last page; they run alongside the fetch, so minutes are generous."""

BUSY_TRIES = 12
"""A scheduled run may hold an entity's lease: asked again every ten seconds for two minutes."""

COLUMNS = tuple(
    f"records_{what}"
    for what in ("fetched", "staged", "duplicate", "quarantined", "processed", "unchanged", "skipped", "failed", "pending")
)
TITLES = (
    "entité", "récupérés", "déposés", "doublons", "quarantaine", "promus", "inchangés", "ignorés", "échecs", "en attente",
    "durée", "état",
)


@dataclass
class Line:
    """One row of sync_status."""

    entity: str
    run_id: str
    status: str
    seconds: float
    counts: tuple[int, ...]


def run(stack: Stack, schedules: str) -> int:
    """Syncs everything, waits for the pipeline to finish by itself, prints the table; 1 when a run failed."""
    # A tick in the middle would take an entity's lease and make the run answer that it is busy.
    deploy.set_schedules(stack, "DISABLED")
    started = time.monotonic()
    try:
        runs = _fetch_everything(stack)
        lines = _wait_for_the_rest(stack, runs)
    finally:
        deploy.set_schedules(stack, schedules)
    _print_table(lines, time.monotonic() - started)
    failed = [run for run in runs if run["status"] == "failed"]
    for run in failed:
        print(f"  ✗ {run['entity']} : {run.get('error', 'échec sans explication')}")
    _print_addresses(stack, schedules)
    unfinished = [line for line in lines if line.status in ("failed", "running")]
    return 1 if failed or unfinished or not lines else 0


# -------------------------------------------------------------------------------- fetch


def _fetch_everything(stack: Stack) -> list[dict[str, Any]]:
    say("Synchronisation complète de toutes les entités…")
    finished: list[dict[str, Any]] = []
    requests = [{"entity": "all", "mode": "full"}]
    for _ in range(BUSY_TRIES):
        answers = [run for request in requests for run in _invoke_watched(stack, request)]
        busy = [run for run in answers if run["status"] in ("busy", "skipped", "locked")]
        finished += [run for run in answers if run not in busy]
        if not busy:
            return finished
        say(f"Déjà en cours : {', '.join(run['entity'] for run in busy)} ; nouvel essai dans dix secondes.")
        requests = [{"entity": run["entity"], "mode": "full"} for run in busy]
        time.sleep(10)
    raise Failure("Une autre synchronisation garde ces entités depuis deux minutes.")


def _invoke_watched(stack: Stack, request: dict[str, str]) -> list[dict[str, Any]]:
    """Invokes the fetcher and tells meanwhile what arrives in the database."""
    result: dict[str, Any] = {}

    def invoke() -> None:
        try:
            client = deploy.aws(stack, "lambda", read_timeout_s=FETCH_LIMIT_S)
            answer = client.invoke(FunctionName=stack.data["outputs"]["FetcherFunctionName"], Payload=json.dumps(request))
            result["payload"] = json.loads(answer["Payload"].read() or b"null")
            result["error"] = answer.get("FunctionError")
        except Exception as error:  # noqa: BLE001 - told below, in the thread that can stop
            result["error"] = str(error)

    since = postgres.query(stack, "select now()").strip()
    thread = threading.Thread(target=invoke, daemon=True)
    thread.start()
    progress = Progress()
    while thread.is_alive():
        thread.join(2)
        progress.tell(_status(stack, f"started_at >= '{since}'::timestamptz - interval '1 second'"))
    payload = result.get("payload")
    if result.get("error") or not isinstance(payload, dict) or "runs" not in payload:
        raise Failure(f"Le fetcher a échoué ({result.get('error')}) : {json.dumps(payload, ensure_ascii=False)}\nJournaux : stack.py logs")
    return list(payload["runs"])


# --------------------------------------------------------------------------------- wait


def _wait_for_the_rest(stack: Stack, runs: list[dict[str, Any]]) -> list[Line]:
    """Nothing is called here: S3 events and queue messages alone bring every record home."""
    ids = {run["run_id"] for run in runs if run.get("run_id") and run["status"] != "failed"}
    if not ids:
        return []
    if not all(re.fullmatch(r"[A-Za-z0-9_.:-]+", run_id) for run_id in ids):
        raise Failure(f"Le fetcher a rendu un run_id inattendu : {sorted(ids)}")
    condition = "run_id::text in ({})".format(", ".join(f"'{run_id}'" for run_id in sorted(ids)))
    say("Tout est récupéré ; dépôt et promotion suivent par les événements…")
    deadline = time.monotonic() + DRAIN_LIMIT_S
    progress = Progress()
    while True:
        lines = _status(stack, condition)
        progress.tell(lines)
        if {line.run_id for line in lines} >= ids and all(line.status != "running" for line in lines):
            return lines
        if time.monotonic() > deadline:
            say(f"Toujours pas fini après {DRAIN_LIMIT_S} s : voir « stack.py logs ».")
            return lines
        time.sleep(1)


def _status(stack: Stack, condition: str) -> list[Line]:
    columns = ", ".join(f"coalesce({column}, 0)" for column in COLUMNS)
    answer = postgres.query(stack, f"""
        select sync_type, run_id, status, extract(epoch from coalesce(completed_at, now()) - started_at), {columns}
        from {deploy.DATABASE_SCHEMA}.sync_status where {condition} order by started_at, sync_type""")
    lines = []
    for row in filter(None, answer.splitlines()):
        entity, run_id, status, seconds, *counts = row.split("\t")
        lines.append(Line(entity, run_id, status, float(seconds or 0), tuple(int(count) for count in counts)))
    return lines


class Progress:
    """Says a line of an entity when it changed, and only then."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[Any, ...]] = {}

    def tell(self, lines: list[Line]) -> None:
        for line in lines:
            now = (line.status, line.counts)
            if self._said.get(line.entity) != now:
                self._said[line.entity] = now
                counts = dict(zip(COLUMNS, line.counts, strict=True))
                fetched, staged, promoted = (counts[f"records_{what}"] for what in ("fetched", "staged", "processed"))
                say(f"  {line.entity:<12} {fetched:>7} récupérés {staged:>7} déposés {promoted:>7} promus   {line.status}")


# -------------------------------------------------------------------------------- table


def _by_entity(lines: list[Line]) -> list[Line]:
    """What follows a run, such as questions by id, counts with it."""
    found: dict[str, Line] = {}
    for line in lines:
        first = found.setdefault(line.entity, line)
        if first is not line:
            status = first.status if line.status == "success" else line.status
            counts = tuple(map(sum, zip(first.counts, line.counts, strict=True)))
            found[line.entity] = Line(line.entity, first.run_id, status, first.seconds + line.seconds, counts)
    return list(found.values())


def _print_table(lines: list[Line], seconds: float) -> None:
    lines = _by_entity(lines)
    rows = [[line.entity, *map(str, line.counts), f"{line.seconds:.1f} s", line.status] for line in lines]
    sums = [sum(line.counts[i] for line in lines) for i in range(len(COLUMNS))]
    rows.append(["total", *map(str, sums), f"{seconds:.1f} s", ""])
    widths = [max(len(row[i]) for row in [list(TITLES), *rows]) for i in range(len(TITLES))]

    def show(row: list[str]) -> str:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0], cells[-1] = row[0].ljust(widths[0]), row[-1]
        return "  " + "  ".join(cells).rstrip()

    rule = "  " + "  ".join("─" * width for width in widths)
    print("\n".join(["", show(list(TITLES)), rule, *map(show, rows[:-1]), rule, show(rows[-1]), ""]))


def _print_addresses(stack: Stack, schedules: str) -> None:
    env = deploy.exports(stack)
    option = "" if stack.name == "dev" else f" --name {stack.name}"
    ticking = "actives (toutes les 2 minutes)" if schedules == "ENABLED" else "arrêtées"
    port = emulator.endpoint(stack).rsplit(":", 1)[-1]
    print(f"""  Tableau      http://{env['HEALTH_HOST']}:{port}/api/v6/dashboard  (nom : le vôtre ; mot de passe : {env['HEALTH_TOKEN']})
  Santé        {emulator.endpoint(stack)}/api/v6/health  (hôte {env['HEALTH_HOST']})
               curl -H 'Host: {env['HEALTH_HOST']}' -H 'Authorization: Bearer {env['HEALTH_TOKEN']}' {env['HEALTH_URL']}/api/v6/health
  Planification {ticking}
  Alertes      {env['INBOX_URL']}/messages
  Base         psql '{env['DATABASE_URL']}'
  Variables    eval "$(python3 infra/local/stack.py env{option})"
  Journaux     python3 infra/local/stack.py logs{option}
  Arrêt        {'make stop' if stack.name == 'dev' else f'python3 infra/local/stack.py down{option}'}
""")

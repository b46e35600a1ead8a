"""The main job, reported as it happens: one full sync of every entity, then a table of the outcome of each record."""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import Future
from typing import Any

import deploy
import emulator
import postgres
from tools import Failure, Stack, say

FETCH_LIMIT_S = 910
"""A little more than the fetcher's own timeout, so that its answer is what ends the wait."""

DRAIN_LIMIT_S = 900
"""Limit for staging and promotion after the last page; they run alongside the fetch, so minutes are generous."""

BUSY_TRIES = 12
"""Retries of an entity whose lease a scheduled run holds: every ten seconds for two minutes."""

ROWS = f"""select sync_type, run_id, status, coalesce(records_fetched, 0), coalesce(records_staged, 0),
    coalesce(records_processed, 0) from {deploy.DATABASE_SCHEMA}.sync_status"""

TABLE = f"""
    select coalesce(sync_type, 'total') as "entité", sum(records_fetched) as "récupérés",
        sum(records_staged) as "déposés", sum(records_duplicate) as "doublons",
        sum(records_quarantined) as "quarantaine", sum(records_processed) as "promus",
        sum(records_unchanged) as "inchangés", sum(records_skipped) as "ignorés",
        sum(records_failed) as "échecs", sum(records_pending) as "en attente",
        round(case grouping(sync_type) when 1 then %(seconds)f
            else sum(extract(epoch from coalesce(completed_at, now()) - started_at)) end, 1) || ' s' as "durée",
        case grouping(sync_type) when 0 then coalesce(min(nullif(status, 'success')), 'success') end as "état"
    from {deploy.DATABASE_SCHEMA}.sync_status where %(condition)s
    group by rollup (sync_type) order by grouping(sync_type), min(started_at), sync_type"""
"""The runs by entity. A run that follows another, such as questions by id, counts with it."""

ADDRESSES = """\
  Tableau      http://{HEALTH_HOST}:{port}/api/v6/dashboard  (nom : le vôtre ; mot de passe : {HEALTH_TOKEN})
  Santé        {HEALTH_URL}/api/v6/health  (hôte {HEALTH_HOST})
               curl -H 'Host: {HEALTH_HOST}' -H 'Authorization: Bearer {HEALTH_TOKEN}' {HEALTH_URL}/api/v6/health
  Planification {ticking}
  Alertes      {INBOX_URL}/messages
  Base         psql '{DATABASE_URL}'
  Variables    eval "$(python3 infra/local/stack.py env{option})"
  Journaux     python3 infra/local/stack.py logs{option}
  Arrêt        {stop}
"""


def run(stack: Stack, schedules: str) -> int:
    """Syncs everything, waits for the pipeline to finish by itself, prints the table; 1 when a run failed."""
    # A tick in the middle would take an entity's lease, and the run would find it busy.
    deploy.set_schedules(stack, "DISABLED")
    started = time.monotonic()
    try:
        runs = _fetch_everything(stack)
        ids = sorted(run["run_id"] for run in runs if run.get("run_id") and run["status"] != "failed")
        if not all(re.fullmatch(r"[A-Za-z0-9_.:-]+", run_id) for run_id in ids):
            raise Failure(f"Le fetcher a rendu un run_id inattendu : {ids}")
        condition = f"run_id::text = any('{{{','.join(ids)}}}')"
        rows = _wait_for_the_rest(stack, ids, condition)
    finally:
        deploy.set_schedules(stack, schedules)
    print("\n" + postgres.table(stack, TABLE % {"condition": condition, "seconds": time.monotonic() - started}))
    failed = [run for run in runs if run["status"] == "failed"]
    for run in failed:
        print(f"  ✗ {run['entity']} : {run.get('error', 'échec sans explication')}")
    option = "" if stack.name == "dev" else f" --name {stack.name}"
    words = {
        "option": option,
        "port": emulator.endpoint(stack).rsplit(":", 1)[-1],
        "ticking": "actives (toutes les 2 minutes)" if schedules == "ENABLED" else "arrêtées",
        "stop": f"python3 infra/local/stack.py down{option}" if option else "make stop",
    }
    print(ADDRESSES.format(**deploy.exports(stack), **words))
    return 1 if failed or not rows or any(row[2] in ("failed", "running") for row in rows) else 0


def _fetch_everything(stack: Stack) -> list[dict[str, Any]]:
    say("Synchronisation complète de toutes les entités…")
    finished: list[dict[str, Any]] = []
    entities = ["all"]
    for _ in range(BUSY_TRIES):
        runs = [run for entity in entities for run in _fetch_watched(stack, entity)]
        entities = [run["entity"] for run in runs if run["status"] in ("busy", "skipped", "locked")]
        finished += [run for run in runs if run["entity"] not in entities]
        if not entities:
            return finished
        say(f"Déjà en cours : {', '.join(entities)} ; nouvel essai dans dix secondes.")
        time.sleep(10)
    raise Failure("Une autre synchronisation garde ces entités depuis deux minutes.")


def _fetch_watched(stack: Stack, entity: str) -> list[dict[str, Any]]:
    """Invokes the fetcher and reports meanwhile the counts of the database."""
    since = postgres.query(stack, "select now() - interval '1 second'").strip()
    client, name = (
        deploy.aws(stack, "lambda", read_timeout_s=FETCH_LIMIT_S),
        stack.data["outputs"]["FetcherFunctionName"],
    )
    printed: dict[str, list[str]] = {}
    answer = Future[Any]()

    def invoke() -> None:
        try:
            payload = client.invoke(FunctionName=name, Payload=json.dumps({"entity": entity, "mode": "full"}))[
                "Payload"
            ]
            answer.set_result(json.loads(payload.read() or b"null"))
        except Exception as error:  # Reported below, in the thread that can stop.
            answer.set_result(str(error))

    threading.Thread(target=invoke, daemon=True).start()
    while not answer.done():
        time.sleep(2)
        _print_changes(_rows(stack, f"started_at >= '{since}'"), printed)
    runs = answer.result()
    if not isinstance(runs, dict) or "runs" not in runs:
        raise Failure(f"Le fetcher a échoué : {json.dumps(runs, ensure_ascii=False)}\nJournaux : stack.py logs")
    return list(runs["runs"])


def _wait_for_the_rest(stack: Stack, ids: list[str], condition: str) -> list[list[str]]:
    """Waits only: S3 events and queue messages alone bring every record home."""
    say("Tout est récupéré ; dépôt et promotion suivent par les événements…")
    deadline = time.monotonic() + DRAIN_LIMIT_S
    printed: dict[str, list[str]] = {}
    while True:
        rows = _rows(stack, condition)
        _print_changes(rows, printed)
        if {row[1] for row in rows} >= set(ids) and all(row[2] != "running" for row in rows):
            return rows
        if time.monotonic() > deadline:
            say(f"Toujours pas fini après {DRAIN_LIMIT_S} s : voir « stack.py logs ».")
            return rows
        time.sleep(1)


def _rows(stack: Stack, condition: str) -> list[list[str]]:
    answer = postgres.query(stack, f"{ROWS} where {condition} order by started_at, sync_type")
    return [row.split("\t") for row in answer.splitlines() if row]


def _print_changes(rows: list[list[str]], printed: dict[str, list[str]]) -> None:
    """Prints the counts of a run when they changed, and only then."""
    for row in rows:
        entity, run_id, status, fetched, staged, promoted = row
        if printed.get(run_id) != row:
            printed[run_id] = row
            say(f"  {entity:<12} {fetched:>7} récupérés {staged:>7} déposés {promoted:>7} promus   {status}")

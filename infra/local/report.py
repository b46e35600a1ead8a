"""The main job, reported as it happens: one full sync of every entity, then a table of the outcome of each record."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import deploy
import postgres
from tools import Failure, Stack, say

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
    table = TABLE % {"condition": condition, "seconds": time.monotonic() - started}
    print("\n" + postgres.query(stack, table, words=("--pset=border=0", "--pset=footer=off")))
    failed = [run for run in runs if run["status"] == "failed"]
    for run in failed:
        print(f"  ✗ {run['entity']} : {run.get('error', 'échec sans explication')}")
    option = "" if stack.name == "dev" else f" --name {stack.name}"
    stop, port = f"python3 infra/local/stack.py down{option}" if option else "make stop", stack.section("ports")["aws"]
    ticking = "actives (toutes les 2 minutes)" if schedules == "ENABLED" else "arrêtées"
    print(ADDRESSES.format(**deploy.exports(stack), option=option, port=port, ticking=ticking, stop=stop))
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
    is_over = threading.Event()

    def watch() -> None:
        printed = set[str]()
        while not is_over.wait(2):
            _progress(stack, f"started_at >= '{since}'", printed)

    threading.Thread(target=watch, daemon=True).start()
    try:
        runs = deploy.invoke(stack, "Fetcher", {"entity": entity, "mode": "full"})
    finally:
        is_over.set()
    if not isinstance(runs, dict) or "runs" not in runs:
        raise Failure(f"Le fetcher a échoué : {json.dumps(runs, ensure_ascii=False)}\nJournaux : stack.py logs")
    return list(runs["runs"])


def _wait_for_the_rest(stack: Stack, ids: list[str], condition: str) -> list[list[str]]:
    """Waits only: S3 events and queue messages alone bring every record home."""
    say("Tout est récupéré ; dépôt et promotion suivent par les événements…")
    deadline, printed = time.monotonic() + DRAIN_LIMIT_S, set[str]()
    while True:
        rows = _progress(stack, condition, printed)
        if {row[1] for row in rows} >= set(ids) and all(row[2] != "running" for row in rows):
            return rows
        if time.monotonic() > deadline:
            say(f"Toujours pas fini après {DRAIN_LIMIT_S} s : voir « stack.py logs ».")
            return rows
        time.sleep(1)


def _progress(stack: Stack, condition: str, printed: set[str]) -> list[list[str]]:
    """Returns the runs, and prints those whose state or counts are new."""
    lines = postgres.query(stack, f"{ROWS} where {condition} order by started_at, sync_type").splitlines()
    for line in lines:
        if line not in printed:
            printed.add(line)
            entity, _, status, fetched, staged, promoted = line.split("\t")
            say(f"  {entity:<12} {fetched:>7} récupérés {staged:>7} déposés {promoted:>7} promus   {status}")
    return [line.split("\t") for line in lines]

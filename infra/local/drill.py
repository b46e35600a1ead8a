"""An alert drill: each fault is caused on the deployed stack, and timed until its alert is in the inbox.

Prints a table: from the fault to the alert, by class, and how often the alert was resolved.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests

import deploy
import emulator
import postgres
import simulator
from tools import Failure, Stack, say

PATIENCE_S = 420.0
ALERT_STATE = "alerts/book.json"
FREQUENT = '{"entity":"all"}'
"""Payload of the fetcher's frequent schedule."""

DEAD_LETTERS = "ReconcileDeadLetterQueueUrl"
LOCK_AND_SLEEP = "begin; lock table sync_status in access exclusive mode; select pg_sleep(5)"
WITHHOLD = """insert into admin_actions (kind, entity, subject, details)
    values ('deletion_withheld', 'clients', 'drill', '{}')"""
FAIL_HALF = """insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at, fetch_status,
        records_fetched, records_staged, records_processed, records_failed)
    values ('drill-' || gen_random_uuid(), 'clients', 'incremental', 'partial', now() - interval '1 second', now(),
        'success', 1000000, 1000000, 500000, 500000)"""
FORGET_RUNS = "delete from sync_status where run_id like 'drill-%'"
DAY_BACK = """update sync_status set completed_at = completed_at - interval '1 day'
    where sync_type = 'users' and status = 'success';
    update staged_pages set staged_at = staged_at - interval '1 day' where entity = 'users'"""
DAY_FORTH = """update sync_status set completed_at = completed_at + interval '1 day'
    where sync_type = 'users' and status = 'success' and completed_at < started_at;
    update staged_pages set staged_at = staged_at + interval '1 day'
    where entity = 'users' and staged_at < now() - interval '20 hours'"""
NO_CONNECTIONS = """alter database {name} with allow_connections false;
    select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"""
"""No new connections, and none of the old: an outage as a pooler makes it."""
CONNECTIONS = "alter database {name} with allow_connections true"


class Drill:
    """Operations on one stack that cause and mend faults."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.out = stack.data["outputs"]
        services = ("lambda", "sqs", "s3", "secretsmanager")
        self.aws = {name: deploy.aws(stack, name, read_timeout_s=900) for name in services}
        self.http = requests.Session()
        # A proxy of the operator's shell has no part in it.
        self.http.trust_env = False

    def sql(self, statement: str) -> str:
        return postgres.query(self.stack, f"set search_path to {deploy.DATABASE_SCHEMA}; {statement}")

    def from_outside(self, statement: str) -> None:
        """Runs a statement on our database from another one: it may admit nobody."""
        address, name = postgres.url(self.stack).partition("?")[0].rsplit("/", 1)
        for part in statement.format(name=name).split(";"):
            postgres.query(self.stack, part, f"{address}/template1")

    def invoke(self, function: str, payload: dict[str, Any]) -> Any:
        name = self.out[f"{function}FunctionName"]
        answer = self.aws["lambda"].invoke(FunctionName=name, Payload=json.dumps(payload))
        return json.loads(answer["Payload"].read() or b"null")

    def source(self, **faults: Any) -> None:
        """Sets the simulated Gazelle's faults."""
        self.http.post(f"{simulator.url(self.stack)}/_sim/faults", json=faults, timeout=10).raise_for_status()

    def fetch(self, entity: str = "users") -> float:
        """Fetches, and returns when it began. A scheduled run may hold the entity for a moment."""
        begin = time.time()
        for _ in range(30):
            runs = self.invoke("Fetcher", {"entity": entity}).get("runs", [])
            if not any(run["status"] == "busy" for run in runs):
                break
            time.sleep(1)
        return begin

    def set_key(self, key: str) -> None:
        name = deploy.secret_names(self.stack)["gazelle"]
        self.aws["secretsmanager"].put_secret_value(SecretId=name, SecretString=json.dumps({"api_key": key}))

    def send(self, queue: str) -> float:
        begin = time.time()
        self.aws["sqs"].send_message(QueueUrl=self.out[queue], MessageBody='{"entity":"users"}')
        return begin

    def purge_dead_letters(self) -> None:
        self.aws["sqs"].purge_queue(QueueUrl=self.out[DEAD_LETTERS])

    def promote(self, statement: str) -> float:
        self.sql(statement)
        return self.send("ReconcileQueueUrl")

    def put(self, key: str, body: str) -> float:
        begin = time.time()
        self.aws["s3"].put_object(Bucket=self.out["RawBucket"], Key=key, Body=body.encode())
        return begin

    def page(self, entity: str, root: str, **record: Any) -> float:
        """Stores a raw page as the fetcher would, with one record."""
        now = time.gmtime()
        run_id = time.strftime("%Y%m%dT%H%M%S000Z", now) + f"-{uuid.uuid4().hex[:8]}"
        metadata = {"schema_version": 1, "entity": entity, "mode": "full", "run_id": run_id, "page": 1, "cursor": None}
        metadata |= {"fetched_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", now), "endpoint": "http://127.0.0.1"}
        metadata |= {"api_version": "private", "query_sha256": "", "window": None, "record_count": 1}
        metadata |= {"fetcher_version": "drill"}
        page_info = {"hasNextPage": False, "endCursor": None}
        payload = {"data": {root: {"totalCount": 1, "pageInfo": page_info, "nodes": [record]}}}
        key = f"raw/{entity}/{time.strftime('%Y/%m/%d', now)}/{run_id}/page-00001.json"
        return self.put(key, json.dumps({"metadata": metadata, "payload": payload}))

    def close_actions(self, condition: str) -> None:
        done = "update admin_actions set resolved_at = now(), resolved_by = 'drill'"
        self.sql(f"{done} where {condition} and resolved_at is null")

    def kill(self, function: str, *, at_work: bool) -> bool:
        """Kills the process of a function that is at work, or all that wait: these are stopped."""
        name = self.out[f"{function}FunctionName"]
        for process in psutil.process_iter(["environ", "status"]):
            is_ours = (process.info["environ"] or {}).get("AWS_LAMBDA_FUNCTION_NAME") == name
            if is_ours and at_work == (process.info["status"] != psutil.STATUS_STOPPED):
                process.kill()
                if at_work:
                    return True
        return False

    def set_timeout(self, function: str, seconds: int) -> None:
        name = self.out[f"{function}FunctionName"]
        self.aws["lambda"].update_function_configuration(FunctionName=name, Timeout=seconds)
        self.aws["lambda"].get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    def pause(self, statement: str) -> float:
        """Stops the frequent schedule, and nothing else."""
        deploy.set_schedules(self.stack, "DISABLED", FREQUENT)
        self.sql(statement)
        return time.time()

    def resume(self, statement: str = "select 1") -> None:
        self.sql(statement)
        deploy.set_schedules(self.stack, "ENABLED", FREQUENT)
        self.fetch()

    def restore_source(self) -> None:
        self.source()
        self.set_key(simulator.api_key(self.stack))
        time.sleep(1.1)
        self.fetch()

    def restore_functions(self) -> None:
        """The lease of a killed run holds for three minutes: the next round must find the lane free."""
        self.source()
        self.set_timeout("Health", 10)
        self.aws["s3"].delete_object(Bucket=self.out["RawBucket"], Key="state/timeline/lookback.json")

    def forget_failures(self) -> None:
        """A failed function has recovered after ten minutes without a failure: the alerter's state says so now."""

        def edit(state: dict[str, Any]) -> None:
            for key, alert in state["open"].items():
                if key.startswith("function_failed"):
                    alert["last"] = "2020-01-01T00:00:00Z"

        self.restore_functions()
        self.edit_alerts(edit)

    def edit_alerts(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Changes the alerter's state, again where it writes at the same moment."""
        place = {"Bucket": self.out["RawBucket"], "Key": ALERT_STATE}
        for _ in range(20):
            held = self.aws["s3"].get_object(**place)
            book = json.loads(held["Body"].read())
            edit(book["state"])
            with contextlib.suppress(self.aws["s3"].exceptions.ClientError):
                self.aws["s3"].put_object(**place, Body=json.dumps(book).encode(), IfMatch=held["ETag"])
                return
            time.sleep(0.2)

    def wait(self, since: float, *words: str, patience_s: float = PATIENCE_S) -> float | None:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for message in self.http.get(f"{emulator.inbox(self.stack)}/messages", timeout=10).json():
                lines = message["text"].splitlines() if message["at"] >= since else []
                if any(all(word in line for word in words) for line in lines):
                    return float(message["at"])
            time.sleep(0.1)
        return None


@dataclass
class Fault:
    """A fault, and the words of its alert. `cause` returns the time of the fault."""

    name: str
    words: str
    cause: Callable[[Drill], float]
    mend: Callable[[Drill], object]
    delays: list[float] = field(default_factory=list)
    resolved: int = 0


def _failing_fetch(drill: Drill) -> float:
    """Timed from the end of the failed run: what it tries before may yet succeed."""
    drill.source(invalid_json=1.0, root_field="allUsers")
    drill.fetch()
    return time.time()


def _unknown_field(drill: Drill) -> float:
    drill.source(undefined_field=1.0, root_field="allUsers")
    return drill.fetch()


def _wrong_key(drill: Drill) -> float:
    drill.set_key("wrong")
    drill.kill("Fetcher", at_work=False)
    return drill.fetch()


def _crash(drill: Drill) -> float:
    """Kills a fetch that waits for its answer, in a lane of its own: its lease must not hold up the frequent runs."""

    def fetch() -> None:
        with contextlib.suppress(Exception):
            drill.invoke("Fetcher", {"entity": "timeline", "lookback_days": 2})

    drill.source(hang=1.0, hang_s=60.0)
    threading.Thread(target=fetch, daemon=True).start()
    deadline = time.monotonic() + 20
    time.sleep(1.5)
    while not drill.kill("Fetcher", at_work=True):
        if time.monotonic() > deadline:
            raise Failure("Fetcher ne travaille pas.")
    return time.time()


def _timeout(drill: Drill) -> float:
    """The health function waits for a locked table until its three seconds are over."""
    drill.set_timeout("Health", 3)
    threading.Thread(target=drill.sql, args=(LOCK_AND_SLEEP,), daemon=True).start()
    time.sleep(0.5)
    begin = time.time()
    drill.invoke("Health", {"rawPath": "/healthz", "requestContext": {"http": {"method": "GET"}}})
    return begin + 3.0


def _outage(drill: Drill) -> float:
    drill.from_outside(NO_CONNECTIONS)
    return drill.send("ReconcileQueueUrl")


def _silence(drill: Drill) -> float:
    """The schedule is missed two minutes after the fetcher was last at work."""
    drill.pause("select 1")
    drill.fetch()
    return time.time() + 120.0


def _garbage(drill: Drill) -> float:
    return drill.put(f"raw/users/2025/01/01/{_new('drill-')}/page-00001.json", "{ no JSON")


def _unknown_client(drill: Drill) -> float:
    return drill.page("pianos", "allPianos", id=_new("pia_"), client={"id": _new("cli_")})


def _no_date(drill: Drill) -> float:
    return drill.page("timeline", "allTimelineEntries", id=_new("tle_"), type="NOTE", occurredAt="soon")


def _new(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex[:12]}"


def _close(kind: str) -> Callable[[Drill], None]:
    return lambda drill: drill.close_actions(f"kind = '{kind}'")


QUICK = [
    Fault("sync_failed", "Synchronisation en échec", _failing_fetch, Drill.restore_source),
    Fault("schema_changed", "Gazelle a changé", _unknown_field, Drill.restore_source),
    Fault("credentials", "Autorisation refusée par Gazelle", _wrong_key, Drill.restore_source),
    Fault("quarantined", "Donnée illisible mise de côté", _garbage, _close("quarantined")),
    Fault("placeholder", "Fiche inconnue", _unknown_client, _close("placeholder")),
    Fault("record_failed", "Enregistrement en échec", _no_date, _close("failed")),
    Fault("deletion_withheld", "Suppressions retenues", lambda d: d.promote(WITHHOLD), _close("deletion_withheld")),
    Fault(
        "error_rate",
        "Trop d'enregistrements en échec",
        lambda d: d.promote(FAIL_HALF),
        lambda d: d.sql(FORGET_RUNS),
    ),
    Fault("function_failed (crash)", "Une fonction s'est arrêtée", _crash, Drill.forget_failures),
    Fault("function_failed (délai)", "Une fonction s'est arrêtée", _timeout, Drill.forget_failures),
    Fault("database_unreachable", "La base de données ne répond pas", _outage, lambda d: d.from_outside(CONNECTIONS)),
]
SLOW = [
    Fault("dead_letters", "Messages mis de côté", lambda d: d.send(DEAD_LETTERS), Drill.purge_dead_letters),
    # The last success of the users lies a day back, and no run makes it better.
    Fault("entity_stale", "Données en retard", lambda d: d.pause(DAY_BACK), lambda d: d.resume(DAY_FORTH)),
    Fault("schedule_silent", "Plus aucune récupération", _silence, Drill.resume),
]


def run(stack: Stack, rounds: int, only: str | None) -> int:
    words = only.split(",") if only else [""]
    faults = [fault for fault in QUICK + SLOW if any(word in fault.name for word in words)]
    if not faults:
        raise Failure(f"Aucune panne « {only} » ; acceptées : {', '.join(fault.name for fault in QUICK + SLOW)}")
    drill = Drill(stack)
    # An interrupted drill may have left its faults.
    drill.restore_functions()
    drill.restore_source()
    drill.resume()
    say("Première synchronisation…")
    for entity in ("users", "clients", "pianos", "timeline"):
        drill.fetch(entity)
    time.sleep(15)
    # What the simulated world lacks from the beginning is no fault of the drill.
    drill.close_actions("true")
    drill.invoke("Alerter", {"task": "look"})
    time.sleep(3)
    for number in range(rounds):
        for fault in faults:
            say(f"{number + 1}/{rounds} {fault.name} : {_one(drill, fault)}")
    print("\n| panne | fois | médiane | p99 | max | rétablies |\n|---|---|---|---|---|---|")
    for fault in faults:
        ranked = sorted(fault.delays)
        figures = [statistics.median_high(ranked), ranked[int(len(ranked) * 0.99)], ranked[-1]] if ranked else []
        times = " | ".join(f"{figure:.1f} s" for figure in figures) or "– | – | –"
        print(f"| {fault.name} | {len(ranked)}/{rounds} | {times} | {fault.resolved} |")
    return 0 if all(len(fault.delays) == rounds for fault in faults) else 1


def _one(drill: Drill, fault: Fault) -> str:
    """Causes and mends a fault; returns its delay for people."""
    since = time.time()
    try:
        begin = fault.cause(drill)
        at = drill.wait(since, fault.words)
        if at is not None:
            fault.delays.append(max(at - begin, 0.0))
    finally:
        fault.mend(drill)
    # The end is not timed: the alerter is asked to look until it sees it.
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        drill.invoke("Alerter", {"task": "look"})
        if drill.wait(since, "Rétabli", fault.words, patience_s=2) is not None:
            fault.resolved += 1
            break
    # An alert that comes back at once would have to be calm for longer each time: the drill is no such alert.
    drill.edit_alerts(lambda state: state.update(closed={}, redriven_at=None))
    return "aucune alerte" if at is None else f"{fault.delays[-1]:.1f} s"

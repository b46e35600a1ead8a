"""An alert drill: each fault is caused on the deployed stack, and timed until its alert is in the letter box.

Prints a table: from the fault to the alert, by class, and whether the resolve came.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import deploy
import letterbox
import postgres
import simulator
from tools import Failure, Stack, say

PATIENCE_S = 420.0
SCHEMA = deploy.DATABASE_SCHEMA


@dataclass
class Fault:
    """How a fault is caused and mended, and by which words its alert is known. `cause` answers when it happened."""

    name: str
    words: str
    cause: Callable[[Drill], float]
    mend: Callable[[Drill], None]
    delays: list[float] = field(default_factory=list)
    resolved: int = 0


class Drill:
    """The hands of the drill on one stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.out = stack.data["outputs"]
        self.aws = {name: deploy.aws(stack, name, read_timeout_s=900) for name in ("lambda", "sqs", "s3", "secretsmanager", "scheduler")}

    def sql(self, statement: str) -> str:
        return postgres.query(self.stack, f"set search_path to {SCHEMA}; {statement}")

    def invoke(self, function: str, payload: dict[str, Any]) -> Any:
        answer = self.aws["lambda"].invoke(FunctionName=self.out[f"{function}FunctionName"], Payload=json.dumps(payload))
        return json.loads(answer["Payload"].read() or b"null")

    def post(self, url: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10):
            pass

    def source(self, faults: dict[str, Any]) -> None:
        self.post(f"{simulator.url(self.stack)}/_sim/faults", faults)

    def fetch(self, entity: str = "users") -> float:
        """A fetch; answers when it ended. A scheduled one may hold the entity for a moment."""
        for _ in range(30):
            runs = self.invoke("Fetcher", {"entity": entity}).get("runs", [])
            if not any(run["status"] == "busy" for run in runs):
                break
            time.sleep(1)
        return time.time()

    def secret(self, part: str, value: dict[str, str]) -> None:
        self.aws["secretsmanager"].put_secret_value(SecretId=deploy.secret_names(self.stack)[part], SecretString=json.dumps(value))

    def bell(self) -> None:
        self.aws["sqs"].send_message(QueueUrl=self.out["ReconcileQueueUrl"], MessageBody='{"entity":"users"}')

    def page(self, entity: str, root: str, record: str) -> float:
        """A raw page as the fetcher would store it, with one record."""
        now = time.gmtime()
        run_id = time.strftime("%Y%m%dT%H%M%S000Z", now) + f"-{uuid.uuid4().hex[:8]}"
        key = f"raw/{entity}/{time.strftime('%Y/%m/%d', now)}/{run_id}/page-00001.json"
        metadata = {
            "schema_version": 1, "entity": entity, "mode": "full", "run_id": run_id, "page": 1, "cursor": None,
            "fetched_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", now), "endpoint": "http://127.0.0.1", "api_version": "private",
            "query_sha256": "", "window": None, "record_count": 1, "fetcher_version": "drill",
        }
        connection = '{"totalCount":1,"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[%s]}' % record
        body = '{"metadata":%s,"payload":{"data":{"%s":%s}}}' % (json.dumps(metadata), root, connection)
        return self.put(key, body)

    def put(self, key: str, body: str) -> float:
        begin = time.time()
        self.aws["s3"].put_object(Bucket=self.out["RawBucket"], Key=key, Body=body.encode())
        return begin

    def close_actions(self, kind: str) -> None:
        self.sql(f"update admin_actions set resolved_at = now(), resolved_by = 'drill' where kind = '{kind}' and resolved_at is null")

    def processes(self, function: str) -> list[tuple[int, bool]]:
        """The function's processes, and whether each is at work: a waiting one is stopped."""
        mark = f"AWS_LAMBDA_FUNCTION_NAME={self.out[f'{function}FunctionName']}\0".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (place / "environ").read_bytes():
                    found.append((int(place.name), (place / "stat").read_text().rpartition(")")[2].split()[0] != "T"))
        return found

    def kill(self, function: str, number: int) -> float:
        """Sends a signal to the function's process that is at work now."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for process, is_at_work in self.processes(function):
                if is_at_work:
                    os.kill(process, number)
                    return time.time()
            time.sleep(0.02)
        raise Failure(f"{function} ne travaille pas.")

    def restart(self, function: str) -> None:
        """Ends the function's waiting processes: the next invocation is a cold start."""
        for process, is_at_work in self.processes(function):
            if not is_at_work:
                os.kill(process, signal.SIGKILL)

    def hanging_fetch(self) -> None:
        """A fetch that waits for its answer: something to kill."""
        self.source({"hang": 1.0, "hang_s": 60.0})
        threading.Thread(target=self._quiet_fetch, daemon=True).start()
        time.sleep(1.5)

    def _quiet_fetch(self) -> None:
        # In a lane of its own: the lease of the dead must not hold up the frequent runs.
        with contextlib.suppress(Exception):
            self.invoke("Fetcher", {"entity": "timeline", "lookback_days": 2})

    def set_timeout(self, function: str, seconds: int) -> None:
        self.aws["lambda"].update_function_configuration(FunctionName=self.out[f"{function}FunctionName"], Timeout=seconds)

    def schedule(self, state: str) -> None:
        """Pauses or resumes the fetcher's frequent schedule, and nothing else."""
        client = self.aws["scheduler"]
        for known in client.list_schedules()["Schedules"]:
            schedule = client.get_schedule(Name=known["Name"], GroupName=known["GroupName"])
            if schedule["Target"].get("Input") == '{"entity":"all"}':
                wanted = {key: schedule[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
                client.update_schedule(Name=known["Name"], GroupName=known["GroupName"], State=state, **wanted)

    def messages(self, since: float) -> list[dict[str, Any]]:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{letterbox.url(self.stack)}/messages", timeout=10) as answer:
            return [message for message in json.load(answer) if message["at"] >= since]

    def wait(self, since: float, words: list[str], patience_s: float = PATIENCE_S) -> float | None:
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for message in self.messages(since):
                if any(all(word in line for word in words) for line in message["text"].splitlines()):
                    return float(message["at"])
            time.sleep(0.1)
        return None


# ------------------------------------------------------------------------------- faults


def _bad_answers(drill: Drill) -> float:
    drill.source({"undefined_field": 1.0, "root_field": "allUsers"})
    begin = time.time()
    drill.fetch()
    return begin


def _failing_fetch(drill: Drill) -> float:
    """Timed from the end of the failed run: what it tries before may yet succeed."""
    drill.source({"invalid_json": 1.0, "root_field": "allUsers"})
    return drill.fetch()


def _wrong_key(drill: Drill) -> float:
    drill.secret("gazelle", {"api_key": "wrong"})
    drill.restart("Fetcher")
    begin = time.time()
    drill.fetch()
    return begin


def _well_again(drill: Drill) -> None:
    drill.source({})
    drill.secret("gazelle", {"api_key": simulator.api_key(drill.stack)})
    time.sleep(1.1)
    drill.fetch()


def _crash(drill: Drill) -> float:
    drill.hanging_fetch()
    return drill.kill("Fetcher", signal.SIGKILL)


def _timeout(drill: Drill) -> float:
    """The health function waits for a locked table until its three seconds are over."""
    drill.set_timeout("Health", 3)
    lock = "begin; lock table sync_status in access exclusive mode; select pg_sleep(5)"
    threading.Thread(target=lambda: drill.sql(lock), daemon=True).start()
    time.sleep(0.5)
    begin = time.time()
    request = {"rawPath": "/healthz", "requestContext": {"http": {"method": "GET"}}}
    drill.aws["lambda"].invoke(FunctionName=drill.out["HealthFunctionName"], Payload=json.dumps(request))
    return begin + 3.0


def _forget(drill: Drill) -> None:
    """A function that failed has recovered after ten minutes without a failure: the book is told so now."""
    drill.source({})
    drill.set_timeout("Health", 10)
    # The lease of the dead holds for three minutes: the next round must find the lane free.
    drill.aws["s3"].delete_object(Bucket=drill.out["RawBucket"], Key="state/timeline/lookback.json")
    book = drill.out["RawBucket"]
    for _ in range(20):
        held = drill.aws["s3"].get_object(Bucket=book, Key="alerts/book.json")
        state = json.loads(held["Body"].read())
        for key, alert in state["state"]["open"].items():
            if key.startswith("function_failed"):
                alert["last"] = "2020-01-01T00:00:00Z"
        try:
            drill.aws["s3"].put_object(Bucket=book, Key="alerts/book.json", Body=json.dumps(state).encode(), IfMatch=held["ETag"])
            return
        except drill.aws["s3"].exceptions.ClientError:
            time.sleep(0.2)


def _garbage(drill: Drill) -> float:
    return drill.put(f"raw/users/2025/01/01/drill-{uuid.uuid4().hex[:8]}/page-00001.json", "{ no JSON")


def _unknown_client(drill: Drill) -> float:
    unknown = f"cli_{uuid.uuid4().hex[:12]}"
    return drill.page("pianos", "allPianos", json.dumps({"id": f"pia_{uuid.uuid4().hex[:12]}", "client": {"id": unknown}}))


def _no_date(drill: Drill) -> float:
    return drill.page("timeline", "allTimelineEntries", json.dumps({"id": f"tle_{uuid.uuid4().hex[:12]}", "type": "NOTE", "occurredAt": "soon"}))


def _withheld(drill: Drill) -> float:
    drill.sql("insert into admin_actions (kind, entity, subject, details) values ('deletion_withheld', 'clients', 'drill', '{}')")
    begin = time.time()
    drill.bell()
    return begin


def _rate(drill: Drill) -> float:
    drill.sql("""insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at, fetch_status, records_fetched,
        records_staged, records_processed, records_failed) values ('drill-' || gen_random_uuid(), 'clients', 'incremental', 'partial',
        now() - interval '1 second', now(), 'success', 1000000, 1000000, 500000, 500000)""")
    begin = time.time()
    drill.bell()
    return begin


def _rate_mended(drill: Drill) -> None:
    drill.sql("delete from sync_status where run_id like 'drill-%'")


def _stale(drill: Drill) -> float:
    """The last success of the users lies a day back, and no run makes it better."""
    drill.schedule("DISABLED")
    drill.sql("""update sync_status set completed_at = completed_at - interval '1 day' where sync_type = 'users' and status = 'success';
        update staged_pages set staged_at = staged_at - interval '1 day' where entity = 'users'""")
    return time.time()


def _fresh(drill: Drill) -> None:
    drill.sql("""update sync_status set completed_at = completed_at + interval '1 day' where sync_type = 'users' and status = 'success'
        and completed_at < started_at; update staged_pages set staged_at = staged_at + interval '1 day' where entity = 'users' and staged_at < now() - interval '20 hours'""")
    drill.schedule("ENABLED")
    drill.fetch()


def _dead_letter(drill: Drill) -> float:
    drill.aws["sqs"].send_message(QueueUrl=drill.out["ReconcileDeadLetterQueueUrl"], MessageBody='{"entity":"users"}')
    return time.time()


def _redrive(drill: Drill) -> None:
    drill.aws["sqs"].purge_queue(QueueUrl=drill.out["ReconcileDeadLetterQueueUrl"])


def _database_down(drill: Drill) -> float:
    """No new connections, and none of the old: an outage as a pooler makes it."""
    name = drill.sql("select current_database()").strip().splitlines()[-1]
    other = postgres.url(drill.stack).rsplit("/", 1)[0] + "/template1"
    drill.stack.section("drill").update(database=name, other=other)
    _elsewhere(drill, f"alter database {name} with allow_connections false")
    _elsewhere(drill, f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
    begin = time.time()
    drill.bell()
    return begin


def _database_up(drill: Drill) -> None:
    _elsewhere(drill, f"alter database {drill.stack.section('drill')['database']} with allow_connections true")


def _elsewhere(drill: Drill, statement: str) -> None:
    import tools

    argv = [str(postgres.bin_dir() / "psql"), "--no-psqlrc", "--quiet", "-At", "-d", drill.stack.section("drill")["other"], "-c", statement]
    tools.output_of(argv, "La base de données a refusé une commande", timeout=30)


def _silence(drill: Drill) -> float:
    """The frequent schedule does not fire; it is missed two minutes after the fetcher was last at work."""
    drill.schedule("DISABLED")
    drill.fetch()
    return time.time() + 120.0


def _sound(drill: Drill) -> None:
    drill.schedule("ENABLED")
    drill.fetch()


QUICK = [
    Fault("sync_failed", "Synchronisation en échec", _failing_fetch, _well_again),
    Fault("schema_changed", "Gazelle a changé", _bad_answers, _well_again),
    Fault("credentials", "Autorisation refusée par Gazelle", _wrong_key, _well_again),
    Fault("quarantined", "Donnée illisible mise de côté", _garbage, lambda drill: drill.close_actions("quarantined")),
    Fault("placeholder", "Fiche inconnue", _unknown_client, lambda drill: drill.close_actions("placeholder")),
    Fault("record_failed", "Enregistrement en échec", _no_date, lambda drill: drill.close_actions("failed")),
    Fault("deletion_withheld", "Suppressions retenues", _withheld, lambda drill: drill.close_actions("deletion_withheld")),
    Fault("error_rate", "Trop d'enregistrements en échec", _rate, _rate_mended),
    Fault("function_failed (crash)", "Une fonction s'est arrêtée", _crash, _forget),
    Fault("function_failed (délai)", "Une fonction s'est arrêtée", _timeout, _forget),
    Fault("database_unreachable", "La base de données ne répond pas", _database_down, _database_up),
]
SLOW = [
    Fault("dead_letters", "Messages mis de côté", _dead_letter, _redrive),
    Fault("entity_stale", "Données en retard", _stale, _fresh),
    Fault("schedule_silent", "Plus aucune récupération", _silence, _sound),
]


def run(stack: Stack, rounds: int, only: str | None) -> int:
    words = only.split(",") if only else [""]
    faults = [fault for fault in QUICK + SLOW if any(word in fault.name for word in words)]
    if not faults:
        raise Failure(f"Aucune panne « {only} » ; acceptées : {', '.join(fault.name for fault in QUICK + SLOW)}")
    drill = Drill(stack)
    # What an interrupted drill may have left.
    _well(drill)
    say("Première synchronisation…")
    for entity in ("users", "clients", "pianos", "timeline"):
        drill.fetch(entity)
    time.sleep(15)
    # What the simulated world lacks from the beginning is no fault of the drill.
    drill.sql("update admin_actions set resolved_at = now(), resolved_by = 'drill' where resolved_at is null")
    drill.invoke("Alerter", {"task": "look"})
    time.sleep(3)
    for number in range(rounds):
        for fault in faults:
            _one(drill, fault)
            delay = f"{fault.delays[-1]:.1f} s" if fault.delays else "aucune alerte"
            say(f"{number + 1}/{rounds} {fault.name} : {delay}")
    _print(faults, rounds)
    return 0 if all(len(fault.delays) == rounds for fault in faults) else 1


def _well(drill: Drill) -> None:
    drill.source({})
    drill.set_timeout("Health", 10)
    drill.aws["s3"].delete_object(Bucket=drill.out["RawBucket"], Key="state/timeline/lookback.json")
    drill.schedule("ENABLED")
    drill.secret("gazelle", {"api_key": simulator.api_key(drill.stack)})


def _one(drill: Drill, fault: Fault) -> None:
    since = time.time()
    try:
        begin = fault.cause(drill)
        at = drill.wait(since, [fault.words])
        if at is not None:
            fault.delays.append(max(at - begin, 0.0))
    finally:
        fault.mend(drill)
    # The end is not timed: the alerter is asked to look until it sees it.
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        drill.invoke("Alerter", {"task": "look"})
        if drill.wait(since, ["Rétabli", fault.words], patience_s=2) is not None:
            fault.resolved += 1
            break
    # An alert that comes back at once would have to be calm for longer each time: the drill is no such alert.
    _unlearn(drill)


def _unlearn(drill: Drill) -> None:
    for _ in range(20):
        held = drill.aws["s3"].get_object(Bucket=drill.out["RawBucket"], Key="alerts/book.json")
        state = json.loads(held["Body"].read())
        state["state"]["closed"] = {}
        state["state"]["redriven_at"] = None
        with contextlib.suppress(Exception):
            drill.aws["s3"].put_object(Bucket=drill.out["RawBucket"], Key="alerts/book.json", Body=json.dumps(state).encode(), IfMatch=held["ETag"])
            return
        time.sleep(0.2)


def _print(faults: list[Fault], rounds: int) -> None:
    print("\n| panne | fois | médiane | p99 | max | rétablies |\n|---|---|---|---|---|---|")
    for fault in faults:
        if not fault.delays:
            print(f"| {fault.name} | 0/{rounds} | – | – | – | {fault.resolved} |")
            continue
        ranked = sorted(fault.delays)
        p99 = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
        print(f"| {fault.name} | {len(ranked)}/{rounds} | {ranked[len(ranked) // 2]:.1f} s | {p99:.1f} s | {ranked[-1]:.1f} s | {fault.resolved} |")

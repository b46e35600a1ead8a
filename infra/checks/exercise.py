"""Has the deployed functions do what they rarely do, so that each uses what it is allowed: for permissions.py.

The tests on the deployed functions do the rest. The faults are the drill's, and are mended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from drill import QUICK, Drill, Fault
from tools import Failure, Stack, say

OUTAGE_SECONDS_MAX = 90.0
"""A function waits eight seconds for a connection, and its queue for a second before."""

RETURN_SECONDS_MAX = 120.0
"""A message that was put off comes again after 15, 30, 60 seconds."""

HARMLESS = {
    "RawEvents": {"Service": "Amazon S3", "Event": "s3:TestEvent"},
    "Reconcile": {"entity": "users"},
    "Fetch": {"entity": "users"},
}
"""For each dead-letter queue a message that its function takes once more."""


def run(stack: Stack, has_asked: Callable[[str, str], bool]) -> None:
    """`has_asked` answers whether a function has made a call by now."""
    drill = Drill(stack)
    say("Panne de la base de données…")
    _outage(drill, has_asked)
    say("Enregistrements en échec, reprise, relecture…")
    _retry(drill)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    drill.invoke("Stager", {"task": "replay", "entity": "users", "start": today, "end": today})
    say("Panne de Gazelle, messages mis de côté…")
    trouble = _fault("schema_changed")
    trouble.cause(drill)
    trouble.mend(drill)
    _redrive(drill)


def _fault(name: str) -> Fault:
    return next(fault for fault in QUICK if fault.name == name)


def _outage(drill: Drill, has_asked: Callable[[str, str], bool]) -> None:
    """While the database is down, stager and reconciler put their messages off."""
    outage = _fault("database_unreachable")
    outage.cause(drill)
    try:
        _fault("record_failed").cause(drill)
        for function in ("StagerFunction", "ReconcilerFunction"):
            _until(lambda name=function: has_asked(name, "sqs:ChangeMessageVisibility"), OUTAGE_SECONDS_MAX)
    finally:
        outage.mend(drill)


def _retry(drill: Drill) -> None:
    """The entry without a date fails once the database is back; a retry rings for it."""
    _until(lambda: drill.invoke("Reconciler", {"task": "retry", "entity": "timeline"})["retried"]["timeline"] > 0, RETURN_SECONDS_MAX)
    _fault("record_failed").mend(drill)


def _redrive(drill: Drill) -> None:
    for queue, body in HARMLESS.items():
        drill.aws["sqs"].send_message(QueueUrl=drill.out[f"{queue}DeadLetterQueueUrl"], MessageBody=json.dumps(body))
    drill.invoke("Alerter", {"task": "redrive"})


def _until(holds: Callable[[], Any], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise Failure(f"Rien ne s'est passé en {limit_s:.0f} s : voir les journaux des fonctions.")
        time.sleep(1.0)

"""Request a retrain when the collection has changed and is quiet again: a trigger in place of cron.

It runs in the repository, and follows the change stream of the collection that params.yaml names.
MONGODB_URI (of a replica set), TRAIN_API_TOKEN and TRAIN_URL come from the environment.
"""

import argparse
import hashlib
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pipeline.config.errors import PipelineError
from pipeline.config.parameters import load
from pipeline.source.mongo import connect
from pipeline.source.parameters import IngestionParameters

from bson import json_util
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

# The wait before a busy or unreachable server is asked again, in seconds.
RETRY = 60.0
# The place in the stream is no longer in the server's log, or belongs to another server.
LOST = {9, 136, 260, 280, 286}


@dataclass
class Changes:
    """The changes without a requested retrain, and when to request it; times in seconds."""

    quiet: float
    between: float
    first: float | None = None
    last: float = -math.inf
    not_before: float = -math.inf

    def note(self, now: float) -> None:
        """Record a change."""
        self.first, self.last = self.first if self.first is not None else now, now

    def due(self, now: float) -> bool:
        """Return whether to request a retrain now; a busy collection delays it for a limited time."""
        if self.first is None or now < self.not_before:
            return False
        return now - self.last >= self.quiet or now - self.first >= self.between

    def asked(self, now: float, accepted: bool) -> None:
        """Record the result of a request."""
        if accepted:
            self.first = None
        self.not_before = now + (self.between if accepted else min(RETRY, self.between))


def ask(place: object) -> bool:
    """POST /train with a key from the place in the stream; return False if a later request may succeed."""
    url = os.environ.get("TRAIN_URL", "http://127.0.0.1:8000/train")
    key = hashlib.sha256(json_util.dumps(place).encode()).hexdigest()[:16]
    token = os.environ.get("TRAIN_API_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"change-{key}"}
    try:
        with urlopen(Request(url, None, headers, method="POST"), timeout=30) as answer:  # noqa: S310 - ours
            print(f"POST {url}: {answer.status}", flush=True)
            return True
    except HTTPError as error:
        # 409: the running job may have read the collection before the change.
        if error.code != 409 and error.code < 500:
            raise SystemExit(f"on_change: POST {url}: {error.code}") from None
        print(f"POST {url}: {error.code}", flush=True)
    except OSError as error:
        print(f"POST {url}: {type(error).__name__}", flush=True)
    return False


def follow(client: MongoClient[dict[str, Any]], changes: Changes, state: Path) -> None:
    """Follow the stream from the place of the last requested retrain."""
    source = load("ingestion", IngestionParameters)
    collection = client[source.database][source.collection]
    place = saved = json_util.loads(state.read_text()) if state.exists() else None
    if place is None:
        changes.note(time.monotonic())  # earlier changes are unknown
    while True:
        try:
            # The fact of a change is enough: no document is sent.
            with collection.watch(
                [{"$project": {"operationType": 1}}], start_after=place, max_await_time_ms=500
            ) as stream:
                while stream.alive:
                    if stream.try_next() is not None:
                        changes.note(time.monotonic())
                    place = stream.resume_token
                    if changes.due(time.monotonic()):
                        changes.asked(time.monotonic(), ask(place))
                    if changes.first is None and place != saved:
                        partial = state.with_name(state.name + ".partial")
                        partial.write_text(json_util.dumps(place))
                        partial.replace(state)
                        saved = place
        except OperationFailure as error:
            if place is None or error.code not in LOST:
                raise SystemExit(f"on_change: MongoDB refused (code {error.code})") from None
            place = None
            changes.note(time.monotonic())  # a change may have been missed
        except PyMongoError as error:
            print(f"MongoDB: {type(error).__name__}", flush=True)
            time.sleep(min(RETRY, changes.between))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask for a retrain when the collection has changed.")
    parser.add_argument("--quiet", type=float, default=300, help="seconds without a change before it asks")
    parser.add_argument("--between", type=float, default=3600, help="seconds between two retrains at least")
    parser.add_argument("--state", type=Path, default=Path("on_change.json"), help="where its place is kept")
    words = parser.parse_args()
    try:
        with connect("mongodb") as server:
            follow(server, Changes(words.quiet, words.between), words.state)
    except PipelineError as error:
        raise SystemExit(f"on_change: {error}") from None

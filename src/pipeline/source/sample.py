"""The sample: the customers in data/, and the embedded MongoDB server that holds them."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.stores import stores_root
from pipeline.source.embedded_mongo import running_server

from filelock import FileLock, Timeout
from pymongo import MongoClient

CUSTOMERS = Path("data/telco_customers.csv")
DATABASE, COLLECTION = "crm", "customers"
# How many customers of the file are not in a new store, for later arrivals.
LATE_ARRIVALS = 1_043
# The sample has tenures but no dates: an account is opened its tenure in months before this day.
_SAMPLE_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def document(row: dict[str, str]) -> dict[str, Any]:
    """Return a row of the CSV file as the nested document of a CRM.

    The services that need the internet are booleans here. Only `services.internet` has the value of
    'No internet service', and only `services.phone` that of 'No phone service'.
    """
    tenure = int(row["tenure"])
    months = _SAMPLE_DAY.year * 12 + _SAMPLE_DAY.month - 1 - tenure
    return {
        "_id": f"C-{int(row['customer']):05d}",
        "profile": {
            "gender": "female" if row["female"] == "1" else "male",
            "senior_citizen": row["senior_citizen"] == "1",
            "partner": row["partner"] == "1",
            "dependents": row["dependents"] == "1",
        },
        "account": {
            "opened": datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC),
            "tenure_months": tenure,
            "contract": row["contract"].lower(),
            "paperless_billing": row["paperless_billing"] == "1",
            "payment_method": row["payment_method"].removesuffix(" (automatic)").lower(),
        },
        "services": {
            "phone": row["phone_service"] == "1",
            "multiple_lines": row["multiple_lines"] == "Yes",
            "internet": {"No": "none"}.get(row["internet_service"], row["internet_service"].lower()),
            "online_security": row["online_security"] == "Yes",
            "online_backup": row["online_backup"] == "Yes",
            "device_protection": row["device_protection"] == "Yes",
            "tech_support": row["tech_support"] == "Yes",
            "streaming": {"tv": row["streaming_tv"] == "Yes", "movies": row["streaming_movies"] == "Yes"},
        },
        "billing": {
            "currency": "USD",
            "monthly_charges": float(row["monthly_charges"]),
            # Eleven customers in their first month have not been charged yet.
            "total_charges": float(row["total_charges"]) if row["total_charges"] else None,
        },
        "churned": row["churn"] == "Yes",
    }


def documents() -> list[dict[str, Any]]:
    """Return all sample customers, in the order of their arrival."""
    with CUSTOMERS.open(newline="", encoding="utf-8") as file:
        return [document(row) for row in csv.DictReader(file)]


def let_arrive(client: MongoClient[dict[str, Any]], count: int) -> int:
    """Insert the next `count` sample customers, and return the number of customers in the store.

    It can be interrupted anywhere and repeated: each customer is inserted once.

    Raises:
        ConfigurationError: fewer than `count` have yet to arrive.
    """
    arrived = arrivals(client)
    everyone = documents()
    if arrived + count > len(everyone):
        raise ConfigurationError(
            f"only {len(everyone) - arrived:,} of the {len(everyone):,} sample customers have yet to "
            f"arrive, not {count:,}"
        )
    _insert(client, everyone[arrived : arrived + count], arrived + count)
    return arrived + count


def _insert(client: MongoClient[dict[str, Any]], new: list[dict[str, Any]], arrived: int) -> None:
    """Insert customers, and record how many have arrived then."""
    database = client[DATABASE]
    if new:
        database[COLLECTION].delete_many({"_id": {"$in": [customer["_id"] for customer in new]}})
        database[COLLECTION].insert_many(new)
    database.sample.replace_one({"_id": COLLECTION}, {"arrived": arrived}, upsert=True)


def arrivals(client: MongoClient[dict[str, Any]]) -> int:
    """Return how many sample customers have arrived; 0 in a new store."""
    state = client[DATABASE].sample.find_one({"_id": COLLECTION})
    return int(state["arrived"]) if state else 0


@contextmanager
def sample_server() -> Iterator[str]:
    """Run the embedded server on a free loopback port, with the sample in it, and yield its URI.

    All worktrees share its storage, so that only one process at a time can run it. Another waits up to 60
    seconds.

    Raises:
        PipelineError: the storage is in use for longer, or the server does not start.
    """
    storage = stores_root() / ".sample-mongodb"
    try:
        with FileLock(f"{storage}.lock", timeout=60), running_server(storage) as uri:
            with MongoClient[dict[str, Any]](uri) as client:
                if not arrivals(client):
                    first = documents()[:-LATE_ARRIVALS]
                    _insert(client, first, len(first))
            yield uri
    except Timeout:
        raise PipelineError(f"another process is using the sample server in {storage}: try again") from None

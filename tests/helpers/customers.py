"""Customer documents for the tests, shaped like those of the sample, made from a number."""

import random
from typing import Any

CONTRACTS = ("month-to-month", "one year", "two year")


def customer(number: int, **changes: Any) -> dict[str, Any]:
    """Make the document of customer `number`, always the same; `changes` are set by dotted path.

    A keyword's double underscores stand for dots; the value `DELETE` removes the field.
    """
    rng = random.Random(number)
    tenure, monthly = rng.randrange(0, 73), round(rng.uniform(18, 120), 2)
    contract = rng.choice(CONTRACTS)
    risk = 0.55 if contract == "month-to-month" else 0.12
    document: dict[str, Any] = {
        "_id": f"T-{number:07d}",
        "profile": {
            "gender": rng.choice(("female", "male")),
            "senior_citizen": rng.random() < 0.2,
            "partner": rng.random() < 0.5,
            "dependents": rng.random() < 0.3,
        },
        "account": {
            "tenure_months": tenure,
            "contract": contract,
            "paperless_billing": rng.random() < 0.6,
            "payment_method": rng.choice(
                ("bank transfer", "credit card", "electronic check", "mailed check")
            ),
        },
        "services": {
            "phone": rng.random() < 0.9,
            "multiple_lines": rng.random() < 0.4,
            "internet": rng.choice(("none", "dsl", "fiber optic")),
            "online_security": rng.random() < 0.3,
            "online_backup": rng.random() < 0.3,
            "device_protection": rng.random() < 0.3,
            "tech_support": rng.random() < 0.3,
            "streaming": {"tv": rng.random() < 0.4, "movies": rng.random() < 0.4},
        },
        "billing": {
            "monthly_charges": monthly,
            "total_charges": round(monthly * tenure, 2) if tenure else None,
        },
        "churned": rng.random() < risk * (1.6 - tenure / 60),
    }
    for path, value in changes.items():
        put(document, path.replace("__", "."), value)
    return document


DELETE = "<no such field>"


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set (or with `DELETE` remove) the field at a dotted path."""
    *parents, leaf = path.split(".") if path != "_id" else ["_id"]
    for parent in parents:
        document = document[parent]
    if value == DELETE:
        del document[leaf]
    else:
        document[leaf] = value

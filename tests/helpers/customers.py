"""Customer documents for the tests, shaped like those of the sample, made from a number."""

import csv
import random
from pathlib import Path
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


def write_sample(path: Path, count: int) -> None:
    """Write the first `count` customers to a file like that of the sample."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [sample_row(number) for number in range(1, count + 1)]
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def sample_row(number: int) -> dict[str, Any]:
    """Return the row of the sample's file that describes customer `number`."""
    found = customer(number)
    profile, account, services = found["profile"], found["account"], found["services"]
    streaming, charged = services["streaming"], found["billing"]["total_charges"]
    yes_no = {True: "Yes", False: "No"}
    return {
        "customer": number,
        "churn": yes_no[found["churned"]],
        "female": int(profile["gender"] == "female"),
        "senior_citizen": int(profile["senior_citizen"]),
        "partner": int(profile["partner"]),
        "dependents": int(profile["dependents"]),
        "tenure": account["tenure_months"],
        "phone_service": int(services["phone"]),
        "multiple_lines": yes_no[services["multiple_lines"]],
        "internet_service": {"none": "No"}.get(services["internet"], services["internet"]),
        "online_security": yes_no[services["online_security"]],
        "online_backup": yes_no[services["online_backup"]],
        "device_protection": yes_no[services["device_protection"]],
        "tech_support": yes_no[services["tech_support"]],
        "streaming_tv": yes_no[streaming["tv"]],
        "streaming_movies": yes_no[streaming["movies"]],
        "contract": account["contract"],
        "paperless_billing": int(account["paperless_billing"]),
        "payment_method": account["payment_method"],
        "monthly_charges": found["billing"]["monthly_charges"],
        "total_charges": "" if charged is None else charged,
    }

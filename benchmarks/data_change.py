"""False alarms and detections of the bounds and of drift.

Run it at the root of the repository: `PYTHONPATH=src python benchmarks/data_change.py`; it takes ten minutes.
The bounds are the defaults, the data is the sample, and for few rows scikit-learn's tumours. The predictions
are those of a logistic regression that is trained on all rows.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from operations.versions.data_change import DataFacts, changes
from operations.versions.drift import Drift
from operations.versions.drift_gate import summarized
from operations.versions.drift_tests import Side, compared
from pipeline.checks.facts import merge, part_facts
from pipeline.checks.parameters import ValidationParameters
from pipeline.config.contract import Contract, load_contract
from pipeline.data.features import features
from pipeline.modelling.models import build
from pipeline.source.sample import LATE_ARRIVALS, documents

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_breast_cancer

PAIRS, SEED = 200, 0
BOUNDS = ValidationParameters()
Row = dict[str, Any]
Change = Callable[[Row], Row | None]


def facts(table: pa.Table, contract: Contract) -> DataFacts:
    """Return the facts of a table as in validation's report."""
    positives = sum(value == contract.target.positive for value in table[contract.target.column].to_pylist())
    report = {
        "accepted": len(table),
        "target": {"positives": positives},
        "columns": merge([part_facts(table, contract)], contract),
    }
    return DataFacts.of(report, contract.model_dump())


def found(new: pa.Table, old: pa.Table, contract: Contract) -> list[str]:
    """Return how the new rows differ from the old ones beyond the default bounds."""
    return list(changes(facts(new, contract), facts(old, contract), BOUNDS))


def side(table: pa.Table, contract: Contract) -> Side:
    """Return the rows of a table for the tests of drift, with predictions."""
    frame = features(table, contract).to_pandas()
    predicted = champion("opened" in contract.columns).predict_proba(frame[[*contract.features]])[:, 1]
    return Side(
        frame[contract.id].to_numpy(),
        frame[[*contract.features]],
        frame[contract.target.column].to_numpy(),
        predicted,
    )


@cache
def champion(of_sample: bool) -> Any:
    """Return a model of all rows of the sample, or of the tumours."""
    table, contract = sample() if of_sample else tumours()
    frame = features(table, contract).to_pandas()
    model = build(contract, "logistic_regression", {"max_iter": 2000}, {}, 0)
    return model.fit(frame[[*contract.features]], frame[contract.target.column])


def drifted(new: pa.Table, old: pa.Table, contract: Contract) -> list[str]:
    """Return the drift of the new rows from the old ones, with the default parameters."""
    types = {name: column.type for name, column in contract.features.items()}
    findings = compared(side(new, contract), side(old, contract), types)
    return [item.text() for item in summarized(Drift(champion=1), findings, BOUNDS.drift).found]


def sample() -> tuple[pa.Table, Contract]:
    """Return the sample's customers in the order of their arrival, with the day."""
    contract = load_contract().model_dump()
    contract["columns"]["opened"] = {"path": "account.opened", "type": "datetime"}
    declared = Contract.model_validate(contract)
    rows = []
    for document in documents():
        row: Row = {declared.id: document["_id"]}
        for name, column in declared.columns.items():
            value: Any = document
            for key in column.path.split("."):
                value = value[key]
            row[name] = value
        row["opened"] = row["opened"].replace(tzinfo=None)
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=declared.arrow()), declared


def tumours() -> tuple[pa.Table, Contract]:
    """Return scikit-learn's 569 tumours: 30 numbers each."""
    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    columns = {name: {"path": name, "type": "number"} for name in names}
    contract = Contract.model_validate(
        {
            "target": {"column": "benign", "positive": True},
            "columns": columns | {"benign": {"path": "benign", "type": "boolean"}},
        }
    )
    arrays = {name: data.data[:, at] for at, name in enumerate(names)}
    ids = [str(number) for number in range(len(data.target))]
    return pa.table(
        {"_id": ids} | arrays | {"benign": data.target.astype(bool)}, schema=contract.arrow()
    ), contract


def halves(table: pa.Table, contract: Contract) -> tuple[int, int, int]:
    """Return how many of a number of random halves are held, how many drift, and the number."""
    random = np.random.default_rng(SEED)
    held = alarms = 0
    for _ in range(PAIRS):
        order, half = random.permutation(len(table)), len(table) // 2
        new, old = table.take(order[:half]), table.take(order[half : 2 * half])
        held += bool(found(new, old, contract))
        alarms += bool(drifted(new, old, contract))
    return held, alarms, PAIRS


def arrivals(table: pa.Table, contract: Contract) -> tuple[int, int, int]:
    """Return how many of a number of arrivals are held, how many drift, and the number."""
    first = len(table) - LATE_ARRIVALS
    pairs = [(first, first + step) for step in (10, 20, 50, 100, 300, 1000, 1040, LATE_ARRIVALS)]
    pairs += [(rows, rows + 100) for rows in range(first, 7000, 100)]
    # And to ten times as many and more.
    pairs += [(rows, len(table)) for rows in (500, 1000, 3000)]
    tables = [(table.slice(0, new), table.slice(0, old)) for old, new in pairs]
    held, alarms = ([test(new, old, contract) for new, old in tables] for test in (found, drifted))
    return sum(map(bool, held)), sum(map(bool, alarms)), len(pairs)


def number(row: Row) -> int:
    return int(row["_id"].removeprefix("C-"))


def charged(by: float) -> Change:
    return lambda row: {name: row[name] and row[name] * by for name in ("monthly_charges", "total_charges")}


def moved(days: int) -> Change:
    return lambda row: {"opened": row["opened"] + timedelta(days=days)}


def inverted(*names: str) -> Change:
    return lambda row: {name: not row[name] for name in names}


def replaced(column: str, **values: str) -> Change:
    return lambda row: {column: values.get(row[column].replace(" ", "_"), row[column])}


def injected(booleans: list[str]) -> dict[str, Change]:
    """Return changes by name: each returns the new values of a row, or None to remove the row."""
    return {
        "6,000 of 7,040 rows": lambda row: {} if number(row) <= 6000 else None,
        "2,600 of 7,040 rows": lambda row: {} if number(row) <= 2600 else None,
        "all charges times 100": charged(100),
        "all charges divided by 100": charged(0.01),
        "total charges null for a third": lambda row: {} if number(row) % 3 else {"total_charges": None},
        "a category renamed": replaced("contract", two_year="24 months"),
        "two categories swapped": replaced("internet_service", none="dsl", dsl="none"),
        "two categories merged": replaced("payment_method", credit_card="bank transfer"),
        "the target's rate doubled": lambda row: {"churned": row["churned"] or number(row) % 25 < 9},
        "the target's rate halved": lambda row: {"churned": row["churned"] and number(row) % 2 == 0},
        "all booleans inverted": inverted(*booleans),
        "dates 1 year later": moved(365),
        "dates 10 years earlier": moved(-3652),
        "charges 10 % higher": charged(1.1),
        "a new category for 2 %": lambda row: {} if number(row) % 50 else {"payment_method": "crypto"},
        "11 nulls become 33": lambda row: {} if number(row) % 320 else {"total_charges": None},
        "the target's rate 26 % to 30 %": lambda row: {"churned": row["churned"] or number(row) % 20 == 0},
    }


def main() -> None:
    """Print the false alarms on honest data and the detected changes as Markdown."""
    table, contract = sample()
    few, (small, of_tumours) = table.slice(0, 1000), tumours()
    print("| honest data | held | drift | of |\n| --- | ---: | ---: | ---: |")
    for name, (held, alarms, pairs) in {
        f"halves of the sample ({len(table) // 2:,} rows)": halves(table, contract),
        "halves of its first 1,000": halves(few, contract),
        "halves of scikit-learn's tumours (284 rows)": halves(small, of_tumours),
        "the sample as its customers arrive": arrivals(table, contract),
    }.items():
        print(f"| {name} | {held} | {alarms} | {pairs} |")
    print()

    before = table.slice(0, 7040)
    rows = before.to_pylist()

    def reasons(change: Change, test: Any = found) -> list[str]:
        new = [row | changed for row in rows if (changed := change(row)) is not None]
        return list(test(pa.Table.from_pylist(new, schema=contract.arrow()), before, contract))

    booleans = [name for name, column in contract.columns.items() if column.type == "boolean"]
    print("| change | held by | drift |\n| --- | --- | --- |")
    for name, change in injected(booleans).items():
        held, drift = reasons(change)[:1], reasons(change, drifted)
        print(f"| {name} | {'; '.join(held)} | {'; '.join(drift[:2])} |")
    for test in (found, drifted):
        missed = [name for name in booleans if not reasons(inverted(name), test)]
        print(f"\none of {len(booleans)} booleans inverted: all but {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()

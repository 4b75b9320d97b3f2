"""False alarms and detections of the check for target leakage.

    python benchmarks/leakage.py

Honest columns are those of the sample and of the data sets that scikit-learn ships, as binary targets. Each
is also thinned, so that a class becomes rare, and divided at random. Leaks are synthetic: copies of a target
with exceptions, in several forms.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.checks.leakage import WARN, suspicious
from pipeline.config.contract import Contract
from validation import ValidationParameters

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import datasets

ROOT = Path(__file__).resolve().parents[1]
MAXIMUM: float = ValidationParameters.model_fields["max_single_column_auc"].default
# Subsets with few positives for each target, and targets for each leak.
THINNED, MADE = 5, 10
ROWS = 6_000
Data = tuple[str, pd.DataFrame, np.ndarray]


def sample() -> Data:
    frame = pd.read_csv(ROOT / "data/telco_customers.csv").drop(columns="customer")
    return "sample: churn", frame, (frame.pop("churn") == "Yes").to_numpy()


def shipped() -> Iterator[Data]:
    """Yield the classification sets, each class against the others, and diabetes at three thresholds."""
    for name in ("breast_cancer", "wine", "iris", "digits"):
        found = getattr(datasets, f"load_{name}")()
        for kind in sorted(set(found.target))[1 if name == "breast_cancer" else 0 :]:
            yield name, pd.DataFrame(found.data), found.target == kind
    found = datasets.load_diabetes()
    for share in (0.5, 0.8, 0.9):
        yield "diabetes", pd.DataFrame(found.data), found.target > np.quantile(found.target, share)


def thinned(target: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the rows of all negatives and of 10 to 18 random positives."""
    for number in range(10, 20, 10 // THINNED):
        drawn = rng.choice(np.flatnonzero(target), min(number, target.sum()), replace=False)
        yield np.sort(np.r_[drawn, np.flatnonzero(~target)])


def contract_of(frame: pd.DataFrame) -> Contract:
    columns = {
        f"x{name}": {
            "path": f"x{name}",
            "type": "number" if pd.api.types.is_numeric_dtype(frame[name]) else "category",
            "nullable": True,
        }
        for name in frame
    }
    columns["y"] = {"path": "y", "type": "boolean"}
    return Contract.model_validate({"target": {"column": "y", "positive": True}, "columns": columns})


def scores(frame: pd.DataFrame, target: np.ndarray) -> dict[str, float]:
    named = frame.rename(columns=lambda name: f"x{name}").assign(y=target)
    contract = contract_of(frame)
    schema = pa.schema([field for field in contract.arrow() if field.name != contract.id])
    return suspicious(pa.Table.from_pandas(named, schema, preserve_index=False), contract, MAXIMUM)


def false_alarms() -> None:
    rng = np.random.default_rng(1)
    print("| honest columns of | targets | columns | warned | refused | sums | refused |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    table: dict[str, Counter[str]] = {}
    for name, frame, target in (sample(), *shipped()):
        line = table.setdefault(name, Counter())
        found = scores(frame, target)
        add(line, frame, {column: auc for column, auc in found.items() if " + " not in column})
        numeric = frame.select_dtypes("number").shape[1]
        line["sums"] += numeric * (numeric - 1) // 2
        line["sums refused"] += sum(" + " in each for each in found)
        line = table.setdefault(f"{name}, 10 to 18 positives", Counter())
        for rows in thinned(target, rng):
            # One column at a time: no sums.
            alone = [scores(frame.iloc[rows][[column]], target[rows]) for column in frame]
            add(line, frame, {f"{at}": auc for at, found in enumerate(alone) for auc in found.values()})
    for label, line in table.items():
        counts = ("targets", "columns", "warned", "refused", "sums", "sums refused")
        print(f"| {label} | {' | '.join(f'{line[count]:,}' for count in counts)} |")


def add(line: Counter[str], frame: pd.DataFrame, found: dict[str, float]) -> None:
    refused = sum(auc > MAXIMUM for auc in found.values())
    line.update(targets=1, columns=frame.shape[1], warned=len(found) - refused, refused=refused)


def leaks(copy: np.ndarray, rng: np.random.Generator) -> dict[str, pd.Series]:
    """Return columns that are derived from a `copy` of the target."""
    rows, share = len(copy), copy.mean()
    split = max(1, round(1000 * share))
    codes = np.where(copy, rng.integers(0, split, rows), rng.integers(split, 1000, rows)) * 577 % 1000
    low_or_high = rng.choice([20, 80], rows) + rng.normal(size=rows)
    date = pd.Series(1.0 * rng.integers(0, 10**9, rows))
    return {
        "flag": pd.Series(copy * 1.0),
        "value only where positive": date.where(copy),
        "code of 1,000 values": pd.Series(codes).astype(str),
        "number beyond a threshold": pd.Series(np.where(copy, 5, 0) + rng.random(rows)),
        "number within a range": pd.Series(np.where(copy, rng.uniform(40, 60, rows), low_or_high)),
    }


def detections() -> None:
    rates = (0.3, 0.05, 0.01)
    print(f"\n| {ROWS:,} rows, a leak with | {' | '.join(f'{rate:.0%} positive' for rate in rates)} |")
    print("| --- | ---: | ---: | ---: |")
    for label in ("no exception", "one positive as negative", "0.1 % of the rows wrong"):
        shares: dict[str, list[str]] = {}
        for rate in rates:
            caught: Counter[str] = Counter()
            for seed in range(MADE):
                rng = np.random.default_rng(seed)
                target = rng.permutation(ROWS) < rate * ROWS
                copy = target.copy()
                if label.startswith("one"):
                    copy[rng.choice(np.flatnonzero(target))] = False
                elif label.startswith("0.1"):
                    copy[rng.choice(ROWS, ROWS // 1000, replace=False)] ^= True
                for form, values in leaks(copy, rng).items():
                    caught[form] += scores(pd.DataFrame({0: values}), target).get("x0", 0) > MAXIMUM
            for form, count in caught.items():
                shares.setdefault(form, []).append(f"{count / MADE:.0%}")
        for form, cells in shares.items():
            print(f"| {label}: {form} | {' | '.join(cells)} |")


if __name__ == "__main__":
    print(f"Warned from a ROC AUC of {WARN} on, refused above {MAXIMUM}.\n")
    false_alarms()
    detections()

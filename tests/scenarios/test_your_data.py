"""Other collections: infer, write, run, publish, without editing a file."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from project import ROOT, STAGES, Project, free_port

import pytest
from bson import Decimal128, ObjectId
from pymongo.database import Database
from sklearn.datasets import load_breast_cancer, load_diabetes


def commands_of_the_docs() -> str:
    """Return the commands of the walk-through in docs/your-data.md as a script."""
    text = (ROOT / "docs/your-data.md").read_text()
    section = text[text.index("## Five minutes") : text.index("## Your collection")]
    blocks = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return "".join(re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks)


def test_commands_of_the_docs(project: Project, tmp_path: Path) -> None:
    script = commands_of_the_docs()
    assert "pipeline publish" in script
    # The environment of the tests in place of the clone's, and a free port.
    script = script.replace(". .venv/bin/activate\n", "").replace("27117", str(free_port()))
    script = f"set -e\ntrap 'kill $(jobs -p)' EXIT\n{script}"

    done = project.run("bash", "-c", script, HOME=str(tmp_path))

    proposal = done.stdout
    assert "archive.scans: all 1,797 documents read" in proposal
    assert re.search(
        r"^clerk .*\(hidden\).* personal data: looks like an e-mail address$", proposal, re.MULTILINE
    )
    assert re.search(
        r"^text .* left out: looks like a consequence of the target: text alone", proposal, re.MULTILINE
    )
    assert re.search(r"^boxes .* left out: an array", proposal, re.MULTILINE)
    assert "the schema accepts 1,796 of 1,797 documents (99.94%)" in proposal
    assert "a retrain would pass validation" in proposal
    assert "version 1 is published; champion: the first version" in proposal
    assert project.json("artifacts/evaluation/metrics.json")["roc_auc"] > 0.9
    assert "columns: 19 kept, 3 added (scanned, weight, first_box)" in proposal
    assert project.git("status", "--porcelain").split() == ["M", "params.yaml"]


def tumours() -> Iterator[dict[str, Any]]:
    """Return documents with nested doubles, ObjectIds, a text as the target, and wrong values."""
    cancer, rng = load_breast_cancer(), random.Random(0)
    for number, (values, benign) in enumerate(zip(cancer.data, cancer.target, strict=True)):
        measures: dict[str, Any] = {}
        for name, value in zip(cancer.feature_names, values, strict=True):
            kind, _, what = name.partition(" ")
            measures.setdefault(kind, {})[what] = float(value)
        yield {
            "_id": ObjectId(f"{number:024x}"),
            "patient": {"name": f"Jane Doe {number}", "age": rng.choice([None, 40, 50, 60])},
            "invoice": Decimal128(f"{rng.randrange(100, 900)}.50"),
            "measures": measures,
            "remark": f"seen a second time by doctor {number}" if number % 7 else None,
            "diagnosis": "benign" if benign else "malignant",
            "therapy": {} if benign else {"started": number % 5},
        }


def patients() -> Iterator[dict[str, Any]]:
    """Return few documents with whole doubles, missing values, a boolean target, and invalid names."""
    diabetes = load_diabetes(scaled=False)
    for number, (values, progression) in enumerate(zip(diabetes.data, diabetes.target, strict=True)):
        document = {"_id": number, "class": number % 3, "größe": {"bmi": Decimal128(f"{values[2]:.1f}")}}
        document |= {name: float(value) for name, value in zip(diabetes.feature_names, values, strict=True)}
        if number % 9 == 0:
            del document["s5"]
        yield document | {"worse": bool(progression > 140), "score": [progression]}


@pytest.mark.long
@pytest.mark.parametrize(
    ("documents", "target", "left_out"),
    [
        (tumours, "diagnosis=malignant", {"patient.name", "remark", "therapy.started"}),
        (patients, "worse=true", {"score"}),
    ],
)
def test_a_collection_becomes_a_model_without_editing_a_file(
    project: Project, database: Database[Any], mongo_uri: str, documents: Any, target: str, left_out: set[str]
) -> None:
    database.rows.insert_many(documents())
    project.env["MONGODB_URI"] = mongo_uri
    name = f"{database.name}.rows"

    done = project.run("pipeline", "schema", "infer", "--collection", name, "--target", target, "--write")

    found = {line.split()[0] for line in done.stdout.splitlines() if "left out: " in line}
    assert found == left_out
    assert project.repro() == list(STAGES)
    assert project.json("artifacts/evaluation/metrics.json")["roc_auc"] > 0.75
    assert "version 1 is published" in project.run("pipeline", "publish").stdout
    assert project.git("status", "--porcelain") == ""

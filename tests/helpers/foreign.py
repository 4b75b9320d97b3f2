"""Copies the checkout with the settings of a team that reads its own collection: the tests must pass there.

`python tests/helpers/foreign.py FOLDER` writes a copy into a folder, and commits it there.
"""

import shutil
import sys
from pathlib import Path

from project import committed, copied

from ruamel.yaml import YAML

PARAMS = """
ingestion: {source: mongodb, database: hospital, collection: tumours, rows_per_part: 500}
schema:
  id: patient.number
  target: {column: malignant, positive: true}
  columns:
    radius: {path: measures.radius, type: number, minimum: 0}
    clinic: {path: clinic, type: category}
    examined: {path: examined, type: datetime, nullable: true}
    malignant: {path: malignant, type: boolean}
validation: {max_rejected: 0.2, min_rows: 50}
transformation: {test_size: 0.3}
training: {algorithm: logistic_regression, logistic_regression: {C: 0.5}}
evaluation: {slice_by: [clinic]}
mlflow: {registered_model: tumours}
"""
CONFIG = """
[core]
    remote = hospital
['remote "hospital"']
    url = s3://hospital-models/dvc
    region = eu-central-1
"""
STAGE = {
    "cmd": "mkdir -p reports && wc -c artifacts/model/* > reports/size.txt",
    "deps": ["artifacts/model"],
    "outs": [{"reports/size.txt": {"cache": False}}],
}


def change(folder: Path) -> None:
    """Change what a team changes: parameters, remotes, one more stage, no sample."""
    (folder / "params.yaml").write_text(PARAMS)
    (folder / ".dvc/config").write_text(CONFIG)
    shutil.rmtree(folder / "data", ignore_errors=True)
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(folder / "dvc.yaml")
    content["stages"]["size"] = STAGE
    yaml.dump(content, folder / "dvc.yaml")


if __name__ == "__main__":
    destination = Path(sys.argv[1])
    copied(destination)
    change(destination)
    committed(destination)

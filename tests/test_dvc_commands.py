"""The DVC commands of the cheat sheet work in this repository."""

import json

from project import STAGES, Project


def test_experiments(
    ready: Project,
) -> None:
    change = ("-S", "training.hist_gradient_boosting.max_iter=5")
    before = (ready.root / "dvc.lock").read_bytes()

    # In a temporary folder it leaves the workspace unchanged, and uses the same stores
    ready.dvc("exp", "run", "--temp", *change)

    assert (ready.root / "dvc.lock").read_bytes() == before
    assert ready.git("status", "--porcelain") == ""
    assert not list((ready.root / ".dvc/tmp/exps").rglob("mlflow.db"))

    # and in the workspace the same experiment does not run again.
    ready.dvc("exp", "run", *change)

    changed = json.loads(ready.dvc("params", "diff", "--json"))["params.yaml"]
    assert list(changed) == ["training.hist_gradient_boosting.max_iter"]
    assert changed["training.hist_gradient_boosting.max_iter"]["new"] == 5
    metrics = json.loads(ready.dvc("metrics", "diff", "--json"))
    scores = metrics["artifacts/evaluation/metrics.json"]
    assert scores["roc_auc"]["diff"] != 0
    # One line per score: slices and the facts of columns are in files that are no metrics.
    assert list(metrics) == ["artifacts/evaluation/metrics.json"]
    assert not [name for name in scores if "." in name]
    shown = ready.dvc("exp", "show", "--csv")
    assert "max_iter" in shown


def test_plots_render_all_five(ready: Project) -> None:
    shown = ready.dvc("plots", "show")

    page = (ready.root / "dvc_plots/index.html").read_text()
    assert "index.html" in shown
    for title in ("ROC", "Precision and recall", "Calibration", "Confusion", "Permutation importance"):
        assert f'"{title}"' in page or f">{title}<" in page or title in page
    for points in ("false_positive_rate", "recall", "observed_share", "predicted", "roc_auc_lost"):
        assert points in page
    # The confusion matrix counts customers, not rows of the file.
    (plot,) = json.loads(ready.dvc("plots", "show", "--json", "Confusion"))["data"]["Confusion"]
    cells = plot["content"]["data"]["values"]
    assert sum(cell["customers"] for cell in cells) == ready.json("artifacts/evaluation/metrics.json")["rows"]
    colour, *texts = [layer["encoding"] for layer in plot["content"]["spec"]["layer"]]
    assert {colour["color"]["field"], *(text["text"]["field"] for text in texts)} == {"customers"}


def test_the_graph_is_the_five_stages(ready: Project) -> None:
    graph = ready.dvc("dag", "--dot")

    assert all(f'"{stage}"' in graph for stage in STAGES)
    assert graph.count("->") == 6


def test_checkout_restores_the_state_before_a_failure(ready: Project) -> None:
    # Given a validation that fails, a damaged model, and raw data that is gone
    ready.set(validation__min_rows=1_000_000)
    failed = ready.run("dvc", "repro", check=False)
    assert failed.returncode != 0
    assert "fewer than validation.min_rows" in failed.stderr
    model = ready.root / "artifacts/model/model.joblib"
    good = model.read_bytes()
    model.write_bytes(b"damaged")
    ready.run("rm", "-r", "artifacts/raw")

    ready.git("checkout", "-q", "dvc.lock", "params.yaml")
    ready.dvc("checkout", "--force")

    assert model.read_bytes() == good
    assert ready.repro() == []

"""`pipeline report`: the effect of a change on parameters, metrics and curves, as Markdown."""

from typing import Any

from operations.versions.report import markdown
from pipeline.data.artifacts import METRICS
from project import Project
from workflows import commands, workflow


def pages(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in project.root.glob("report*.html")}


def refused(project: Project, *options: str) -> str:
    """Run `pipeline report`, which must fail with one line and no output, and return the line."""
    done = project.run("pipeline", "report", *options, check=False)
    assert done.returncode in {1, 2}
    assert done.stderr.count("\n") == 1
    assert not list(project.root.glob("report*"))
    return done.stderr


def test_report_job_of_the_workflow(ready: Project) -> None:
    # Given a changed parameter, whose metrics are reported only after a run
    before = ready.json(str(METRICS))
    ready.set(training__hist_gradient_boosting__max_iter=12)
    assert "training changed since the last run: run 'dvc repro' first" in refused(ready, "--base", "HEAD")
    # and merged as GitHub does for a pull request
    ready.git("checkout", "-q", "-b", "change")
    ready.git("commit", "-qam", "A small model")
    ready.git("checkout", "-q", "--detach", "main")
    ready.git("merge", "-q", "--no-ff", "-m", "A pull request", "change")
    ready.env["GITHUB_SHA"] = ready.git("rev-parse", "HEAD").strip()
    ready.env["GITHUB_STEP_SUMMARY"] = str(ready.root / ".git/summary.md")
    ready.env["GITHUB_OUTPUT"] = str(ready.root / ".git/output")

    # The environment of the tests replaces that of make.
    for line in commands(workflow("test.yml")["jobs"]["report"]):
        ready.run(
            "bash", "-c", line.replace("make repro", "dvc repro").replace(".venv/bin/pipeline", "pipeline")
        )

    report = (ready.root / "report.md").read_text()
    assert (ready.root / ".git/summary.md").read_text() == report
    assert (ready.root / ".git/output").read_text() == "source=sample\n"
    after = ready.json(str(METRICS))
    assert "| training.hist_gradient_boosting.max_iter | 20 | 12 | -8 |" in report
    assert f"| roc_auc | {before['roc_auc']} | {after['roc_auc']} | " in report
    assert f"| rows | {before['rows']} | {before['rows']} | 0 |" in report
    assert "| slices: contract.one year.roc_auc |" in report
    kept = pages(ready)
    assert set(kept) == {"report.html", "report-base.html"}
    assert all(f"]({name})" in report for name in kept)
    # The pages are of two models,
    assert kept["report.html"] != kept["report-base.html"]
    # and Git ignores the files.
    assert "report" not in ready.git("status", "--porcelain")

    # If the outputs of the base are lost, the report states it
    ready.dvc("gc", "--workspace", "--force")
    ready.run("pipeline", "report", "--base", "HEAD^1")

    report = (ready.root / "report.md").read_text()
    assert "neither in this cache nor on the remote: no comparison" in report
    assert "| training.hist_gradient_boosting.max_iter | 20 | 12 | -8 |" in report
    assert f"| roc_auc | - | {after['roc_auc']} |  |" in report
    # and has the page of the workspace.
    assert pages(ready) == {"report.html": kept["report.html"]}


def test_missing_base_is_one_line(project: Project) -> None:
    assert "metrics.json is not here: run 'dvc repro', or 'dvc pull'" in refused(project)
    assert "there is no commit 'nowhere' here" in refused(project, "--base", "nowhere")
    assert "--output is a file ending in .md" in refused(project, "--output", "report.png")


def test_report_does_not_depend_on_the_order_of_changes() -> None:
    scores = {"roc_auc": {"old": 0.8, "new": 0.81}, "f1": {"old": 0.1, "new": 0.2}}
    metrics = {str(METRICS): scores, "artifacts/validation.json": {"read": {"old": 9, "new": 12}}}
    parameters = {"params.yaml": {"b.c": {"old": None, "new": True}, "a": {"old": [1], "new": [2]}}}

    def backwards(value: Any) -> Any:
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    once = markdown("main (0123456789)", metrics, parameters, {"This workspace": "report.html"})

    assert once == markdown(
        "main (0123456789)", backwards(metrics), backwards(parameters), {"This workspace": "report.html"}
    )
    for row in (
        "| roc_auc | 0.8 | 0.81 | +0.01 |",
        "| validation: read | 9 | 12 | +3 |",
        "| b.c | - | True |  |",
    ):
        assert row in once


def test_values_are_escaped() -> None:
    metrics = {str(METRICS): {"roc_auc": {"old": 0.8, "new": 0.8}}}
    parameters = {"params.yaml": {"derived": {"old": "a | b", "new": "a\n<!-- b"}}}

    report = markdown("main", metrics, parameters, {"This workspace": "report.html"})

    assert "| derived | a \\| b | a &lt;!-- b |  |" in report

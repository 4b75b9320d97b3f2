"""The rendered page: its text in each state, and no secret or markup from outside."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from operations.service import page
from operations.service.job_store import Job, Jobs, TrainRequest
from operations.service.links import report_link
from operations.service.page import age, html
from operations.service.version_cache import Known
from operations.versions.version import Version

import pytest

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NASTY = "<img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;{{ 7 * 7 }}"
SCORES = {"roc_auc": 0.8354, "log_loss": 0.4134}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAIN_API_TOKEN", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def version(number: int, champion: bool = False, hours: float = 1, **tags: str) -> Version:
    created = int((NOW - timedelta(hours=hours)).timestamp() * 1000)
    named = {"git.commit": COMMIT, "data.raw.md5": f"data-{number}"} | tags
    return Version(number, f"run{number}", named, champion, created, SCORES, "1")


def known(*versions: Version) -> Known:
    return Known(versions, NOW, answers=True)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs.sqlite")


def job(jobs: Jobs, **changes: Any) -> Job:
    made, _ = jobs.create(TrainRequest(), None)
    return jobs.update(made.id, **changes)


def remote(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("operations.service.links.git", lambda *_words, **_options: url)


def test_empty_page() -> None:
    content = html([], known(), NOW)

    assert "There is none yet" in content
    assert content.count("None yet.") == 2
    assert "MLflow does not answer" not in content


def test_template_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, content in (("page.html", "{{ unknown }}"), ("page.js", ""), ("page.css", "")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(page, "FOLDER", tmp_path)

    assert "There is none yet" in html([], known(), NOW)
    assert page.script().body
    assert page.style().body


def test_champion_has_scores_and_age_of_data() -> None:
    # Version 3 is another model on the data of version 1.
    data = {"data.raw.md5": "same"}
    versions = (version(1, hours=75, **data), version(2, hours=2), version(3, True, hours=1, **data))
    content = html([], known(*versions), NOW)

    assert "Version 3, on data that is <strong>3 days</strong> old" in content
    assert "2026-11-20 09:00 UTC" in content
    assert "<dt>ROC AUC</dt><dd>0.8354</dd>" in content
    # The newest version is first, and a missing score is a dash.
    assert content.index('id="v3"') < content.index('id="v2"') < content.index('id="v1"')
    assert 'data-label="Brier score" class="number">\N{EN DASH}<' in content
    assert 'href="versions/2/report.html"' in content


def test_report_url_in_mlflow_or_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(version(1), experiment="7", artifacts="file:///a%20b/mlartifacts/7/run/artifacts")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:secret@mlflow.example.org/")
    url = f"https://mlflow.example.org/#/experiments/7/runs/{made.run_id}/artifacts/report.html"
    assert report_link(made) == url
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert report_link(made) == "/a b/mlartifacts/7/run/artifacts/report.html"
    assert report_link(replace(made, artifacts="")) is None


def test_champion_has_a_reason_and_versions_a_decision() -> None:
    refused = {"promotion": '{"promoted": false, "reason": "it may be 0.02 lower"}'}
    why = f"by rollback, pinned: {NASTY}"
    pinned = replace(version(1, True), standing=why, pinned=True)
    content = html([], known(pinned, version(2, **refused), version(3, promote="no", **refused)), NOW)

    assert f"<p>by rollback, pinned: {ESCAPED}</p>" in content
    assert content.count(">pinned</span>") == 1
    assert "<summary>not promoted</summary>it may be 0.02 lower</details>" in content
    assert "<summary>no-promote</summary>" in content
    rolled = version(1, True, rollback='{"at": "2026-11-27T10:00:00", "reason": "calls are missed"}')
    assert "<summary>rolled back to</summary>2026-11-27: calls are missed" in html([], known(rolled), NOW)


def test_versions_name_algorithm_and_other_holdouts() -> None:
    made = {"algorithm": "random_forest", "test_rows": 1195}
    same = {"data.raw.md5": "same"}
    alike = (replace(version(1, True, **same), **made), version(2, **same))

    content = html([], known(*alike), NOW)
    assert "random_forest, scored on 1,195 test rows" in content
    assert "<title>churn-pipeline</title>" in content
    assert "scored on other test rows" not in content
    assert "scored on other test rows" in html([], known(*alike, version(3)), NOW)


def test_last_answer_stays_while_mlflow_is_away() -> None:
    away = Known((version(1, champion=True),), NOW - timedelta(minutes=5), answers=False)

    content = html([], away, NOW)

    assert "MLflow does not answer; its last answer is from" in content
    assert "5 minutes ago" in content
    assert "Version 1, on data" in content

    never = html([], Known(answers=False), NOW)
    assert "MLflow does not answer." in never
    assert "There is none yet" not in never


def test_page_before_the_first_answer_of_mlflow() -> None:
    content = html([], Known(), NOW)

    assert "MLflow has not answered yet" in content
    assert 'data-answered="no"' in content
    assert 'data-answered="yes"' in html([], known(), NOW)


@pytest.mark.parametrize("state", ["queued", "running"])
def test_running_job_is_followed(jobs: Jobs, state: str) -> None:
    active = job(jobs, state=state, stage="training", started_at=NOW)

    content = html([active], known(), NOW)

    assert f'data-job="{active.id}"' in content
    assert "Running: training" in content
    assert '<div id="progress">' in content


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("succeeded", "message"), ("unchanged", "message"), ("failed", "error"), ("interrupted", "error")],
)
def test_ended_job_is_in_the_history(jobs: Jobs, state: str, outcome: str) -> None:
    ended = job(
        jobs,
        state=state,
        started_at=NOW - timedelta(seconds=83),
        finished_at=NOW,
        rows_read=6200,
        rows_rejected=3,
        model_version=2,
        promoted=True,
        **{outcome: "what came of it"},
    )
    content = html([ended], known(), NOW)

    assert 'data-job=""' in content
    assert '<div id="progress" hidden>' in content
    for text in (f">{state}<", "what came of it", "1 min 23 s", "6,200 rows read, 3 rejected", 'href="#v2"'):
        assert text in content
    assert f'href="train/{ended.id}/log"' in content


def test_external_text_is_escaped(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    remote(monkeypatch, "https://forge.example/team/churn.git")
    ended = job(jobs, state="failed", error=NASTY, commit=NASTY, stage=NASTY)
    active = job(jobs, stage=NASTY, state="running")
    strange = Version(1, NASTY, {"git.commit": NASTY}, True, 0, SCORES, NASTY)

    content = html([active, ended], known(strange), NOW)

    assert "<img" not in content
    assert content.count(ESCAPED) >= 4
    # A text that is not a hash is not a link.
    assert "/commit/" not in content


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@forge.example/team/churn.git",
        "https://user:/s3cret@forge.example/team/churn.git",
        "https://forge.example/team/churn",
    ],
)
def test_commit_links_to_the_forge(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    remote(monkeypatch, url)
    content = html([], known(version(1)), NOW)

    assert f'href="https://forge.example/team/churn/commit/{COMMIT}"' in content
    assert "s3cret" not in content


@pytest.mark.parametrize("url", ["", "/srv/churn.git", "git@forge.example:churn.git"])
def test_commit_without_a_forge_is_text(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    remote(monkeypatch, url)
    content = html([], known(version(1)), NOW)

    assert f'<code title="{COMMIT}">{COMMIT[:10]}</code>' in content


def test_run_links_to_the_mlflow_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:s3cret@mlflow.example/base/?token=s3cret")
    content = html([], known(version(1)), NOW)

    assert 'href="https://mlflow.example/base/#/experiments/1/runs/run1"' in content
    assert "s3cret" not in content


def test_run_without_a_server_is_text() -> None:
    assert '<code title="run1">run1</code>' in html([], known(version(1)), NOW)


def test_token_field_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'type="password"' not in html([], known(), NOW)
    monkeypatch.setenv("TRAIN_API_TOKEN", "s3cret")
    content = html([], known(), NOW)

    assert 'type="password"' in content
    assert "s3cret" not in content


def test_page_has_no_inline_script_or_style(jobs: Jobs) -> None:
    content = html([job(jobs)], known(version(1, True)), NOW)

    assert "<style" not in content
    assert "style=" not in content
    assert content.count("<script") == 1
    policy = page.HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # Behind a proxy the service may have a prefix, so its own links are relative.
    assert 'href="/' not in content
    assert 'src="/' not in content


@pytest.mark.parametrize(
    ("passed", "content"),
    [
        (timedelta(seconds=-5), "less than a minute"),
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(seconds=60), "1 minute"),
        (timedelta(minutes=59, seconds=59), "59 minutes"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=1234), "1,234 days"),
    ],
)
def test_age_is_in_its_largest_unit(passed: timedelta, content: str) -> None:
    assert age(passed) == content

"""Situation B end to end, over HTTP, with real MongoDB, S3, MLflow and Git servers; and bad data."""

import json

from customers import customer
from pipeline.tracking.lineage import locked_outputs
from promises import check, check_whole
from served import Service, running_service
from team import Team, champion, lineage, models, registry

from ruamel.yaml import YAML


def test_new_customers_make_a_version(team: Team) -> None:
    with running_service(team.project) as service:
        new_customers_make_version_2(team, service)
        check(team)
        check_whole(team)
        bad_data_fails_with_a_reason(team, service)
        check_whole(team)
        next_start_finishes_a_killed_service(team, service)
        stopped_service_leaves_an_interrupted_job(team, service)
        check_whole(team)


def new_customers_make_version_2(team: Team, service: Service) -> None:
    """The job goes through the stages; version 2 is registered and tagged, and its data is on S3."""
    team.arrive(1200, 3_200)
    first = service.post(Idempotency_Key="tonight")
    assert first.status_code == 202
    job = first.json()["id"]
    assert first.json() == {"id": job, "state": "queued", "url": f"/train/{job}"}
    # While it runs no other job starts, and the same key returns the same job.
    second = service.post()
    assert second.status_code == 409
    assert second.json()["job"] == job
    assert service.post(Idempotency_Key="tonight").json()["id"] == job
    assert service.post({"all": True}, Idempotency_Key="tonight").status_code == 422
    # And the user's checkout is unchanged.
    assert service.until(job, lambda job: job["stage"] == "training")["state"] == "running"
    assert service.project.git("status", "--porcelain") == ""
    assert service.project.json("artifacts/validation.json")["read"] == 1200

    done = service.until(job)

    assert done["state"] == "succeeded", done
    assert (done["model_version"], done["rows_read"], done["rows_rejected"]) == (2, 3_200, 0)
    assert list(done["seconds"]) == [
        "preparing",
        "ingestion",
        "validation",
        "transformation",
        "training",
        "evaluation",
        "publishing",
    ]
    two = models(service.project)[1]
    assert done["commit"] == two["commit"]
    assert done["promoted"] == two["champion"]
    assert done["reason"] == f"{two['decision']}: {lineage(service.project, 2)['decision']['reason']}"
    assert "refs/tags/model-v2" in team.refs()
    # The drift: the rows of both sides and what moved, in the job and for Prometheus.
    drift = done["drift"]
    assert (drift["champion"], drift["champion_rows"], drift["rows"]) == (1, 1200, 3_200)
    assert (drift["new_rows"], drift["not_compared"]) == (2_000, [])
    assert {"contract", "monthly_charges", "target", "predictions", "classifier"} <= drift["psi"].keys()
    assert f"pipeline_drift_found {len(drift['found'])}.0\n" in service.get("/metrics").text
    assert f'pipeline_drift_psi{{subject="target"}} {drift["psi"]["target"]}' in service.get("/metrics").text
    assert "# Model card: version 2\n" in described(service, 2)
    assert service.post(Idempotency_Key="tonight").json() == {
        "id": job,
        "state": "succeeded",
        "url": f"/train/{job}",
    }
    # The checkout has followed.
    assert service.project.git("rev-parse", "HEAD").strip() == done["commit"]
    assert service.project.json("artifacts/validation.json")["read"] == 3_200
    lock = YAML(typ="safe").load(service.project.root / "dvc.lock")
    keys = {key.removeprefix("dvc/files/md5/").replace("/", "") for key in team.s3.objects()}
    assert set(locked_outputs(lock).values()) <= keys
    events = service.get(f"/train/{job}/events").text
    assert json.loads(events.split("data: ")[-1].splitlines()[0])["state"] == "succeeded"


def described(service: Service, number: int) -> str:
    """Return the description of a version in MLflow."""
    versions = registry(service.project)
    return str(versions.client.get_model_version(versions.name, str(number)).description)


def bad_data_fails_with_a_reason(team: Team, service: Service) -> None:
    """5 % malformed documents: columns and counts; champion and lock unchanged, documents kept."""
    spoilt = [customer(number, account__tenure_months="long") for number in range(20_000, 20_560)]
    team.database.customers.insert_many(spoilt)
    lock = (service.project.root / "dvc.lock").read_bytes()
    before = team.refs(), champion(service.project), team.s3.objects()

    done = service.train()

    assert done["state"] == "failed"
    assert "tenure_months" in done["error"]
    assert "560" in done["error"]
    assert "\n" not in done["error"]
    assert (team.refs(), champion(service.project), team.s3.objects()) == before
    assert (service.project.root / "dvc.lock").read_bytes() == lock
    (kept,) = (service.project.root / "failed").iterdir()
    assert (kept / "rejected/ingestion.jsonl").read_text().count("\n") == 560
    # The scores in the workspace are those of the champion.
    assert not (kept / "evaluation").exists()
    team.database.customers.delete_many({"account.tenure_months": "long"})


def next_start_finishes_a_killed_service(team: Team, service: Service) -> None:
    """SIGKILL after the push of the commit: the next start registers the version as requested."""
    team.arrive(3_200, 3_300)
    before = champion(service.project)
    job = service.post({"promote": False}).json()["id"]
    service.wait_for_step(job, "publishing: registering")
    service.kill()
    check(team)

    service.start()
    service.wait_for_recovery()

    ended = service.until(job, lambda job: job["model_version"])
    assert (ended["state"], ended["model_version"]) == ("interrupted", 3)
    check(team)
    check_whole(team)
    assert "refs/tags/model-v3" in team.refs()
    three = models(service.project)[2]
    assert (three["decision"], champion(service.project)) == ("no-promote", before)
    assert "# Model card: version 3\n" in described(service, 3)
    assert three["reason"].endswith("; promotion is switched off for this run (--no-promote)")
    # And without new data there is no new version, no commit and no object.
    before = team.refs(), models(service.project), team.s3.objects()
    done = service.train()
    assert done["state"] == "unchanged", done
    assert (team.refs(), models(service.project), team.s3.objects()) == before


def stopped_service_leaves_an_interrupted_job(team: Team, service: Service) -> None:
    """SIGTERM ends the run and cleans up; the job and its history survive the restart."""
    before = team.refs(), models(service.project)
    job = service.post({"all": True}).json()["id"]
    service.until(job, lambda job: job["stage"] in {"validation", "transformation"})
    service.process.terminate()
    service.process.wait(40)
    assert (team.refs(), models(service.project)) == before
    assert not list((service.project.root / ".dvc/tmp").glob("worktree-*"))

    service.start()

    assert service.job(job)["state"] == "interrupted"
    assert [entry["state"] for entry in service.get("/train").json()] == [
        "interrupted",
        "unchanged",
        "interrupted",
        "failed",
        "succeeded",
    ]

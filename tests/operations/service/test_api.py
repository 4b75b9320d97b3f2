"""The API for a client: one job at a time, tokens, problem documents, OpenAPI."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from project import Project, free_port
from served import Service, running_service

import pytest
import requests
from filelock import FileLock

TOKEN = "a-t0ken"
# The host name of another site that resolves to this machine.
LED = {"Host": "evil.example"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def service(origin: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose jobs wait, since another process holds the lock of the repository."""
    root = tmp_path_factory.mktemp("api") / "clone"
    origin.run("git", "clone", "-q", str(origin.root), str(root))
    with (
        FileLock(root / ".git/pipeline.lock"),
        running_service(Project(root), TRAIN_API_TOKEN=TOKEN) as service,
    ):
        yield service


def test_concurrent_requests_start_one_job(service: Service) -> None:
    with ThreadPoolExecutor(40) as pool:
        orders = [pool.submit(service.post, None, **BEARER) for _ in range(200)]
        reads = [pool.submit(service.get, path) for path in ("/train", "/health") for _ in range(500)]
        answers = [each.result() for each in orders]
        codes = Counter(each.result().status_code for each in reads)

    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 199}
    assert codes == {200: 1000}
    (job,) = service.get("/train").json()
    assert {answer.json().get("job") or answer.json()["id"] for answer in answers} == {job["id"]}


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("POST", "/train", {}, 401),
        ("POST", "/train", {"headers": {"Authorization": "Bearer wrong"}}, 401),
        ("POST", "/train", {"headers": {"Authorization": "Basic YTp0"}}, 401),
        ("POST", "/train", {"headers": BEARER, "json": {"all": "perhaps"}}, 422),
        ("POST", "/train", {"headers": BEARER, "json": {"everything": True}}, 422),
        ("POST", "/train", {"headers": BEARER, "json": [1]}, 422),
        ("POST", "/train", {"headers": BEARER, "data": b"{not json"}, 422),
        ("POST", "/train", {"headers": BEARER, "data": b"x" * 20_000}, 413),
        ("POST", "/train", {"headers": BEARER, "data": iter([b"x" * 10_000] * 3)}, 413),
        ("POST", "/train", {"headers": BEARER | {"Idempotency-Key": "k" * 300}}, 422),
        ("DELETE", "/train", {}, 405),
        ("POST", "/", {}, 405),
        ("GET", "/train/0123456789ab", {}, 404),
        ("GET", "/train/0123456789ab/events", {}, 404),
        ("GET", "/train/nope", {}, 404),
        ("GET", "/train/..%2f..%2fetc", {}, 404),
        ("GET", "/train?count=0", {}, 422),
        ("GET", "/nothing", {}, 404),
    ],
)
def test_errors_are_problem_documents(
    service: Service, method: str, path: str, options: dict[str, object], status: int
) -> None:
    answer = requests.request(method, service.url(path), timeout=30, **options)  # type: ignore[arg-type]

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]
    assert TOKEN not in answer.text
    allowed = {"/train": "GET, POST", "/": "GET"}.get(path)
    if status == 405:
        assert answer.headers["Allow"] == allowed


def test_form_instead_of_json_is_refused_with_advice(service: Service) -> None:
    answer = requests.post(service.url("/train"), data={"all": "true"}, headers=BEARER, timeout=30)

    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(" (send it with Content-Type: application/json)")


def test_openapi_matches_the_answers(service: Service, tmp_path: Path) -> None:
    done = Project(tmp_path).run(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        service.url("/openapi.json"),
        "--header",
        f"Authorization: Bearer {TOKEN}",
        "--checks",
        "all",
        # Not the stateful phase: it would wait for the stream of a waiting job.
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--no-color",
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]


def test_log_hides_the_token(service: Service) -> None:
    service.post(None, **BEARER)

    log = (service.project.root.parent / "clone-service.log").read_text()
    assert "POST /train" in log
    assert TOKEN not in log


def test_public_address_needs_a_token(service: Service) -> None:
    words = ("pipeline", "serve", "--host", "0.0.0.0", "--port", str(free_port()))

    refused = service.project.run(*words, check=False, TRAIN_API_TOKEN="")

    assert refused.returncode == 2
    assert refused.stderr == "pipeline: --host 0.0.0.0 is open to others: set TRAIN_API_TOKEN first\n"


def test_a_second_service_in_the_same_repository_is_refused(service: Service) -> None:
    refused = service.project.run("pipeline", "serve", "--port", str(free_port()), check=False)

    assert refused.returncode == 75
    assert refused.stderr == "pipeline: a service runs in this repository already\n"


def test_ready_names_unreachable_servers(project: Project) -> None:
    # Given MLflow is not running, and the keys of the bucket are not set
    away = f"http://127.0.0.1:{free_port()}"
    settings = project.root / ".dvc/config.local"
    settings.write_text("[core]\nremote = s3\n['remote \"s3\"']\nurl = s3://bucket/dvc\n")
    env = {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    env |= {"MLFLOW_TRACKING_URI": away, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}

    with running_service(project, **env) as service:
        answer = service.get("/ready")
        while "no answer within" in answer.text:
            # On a busy machine, the import of MLflow takes longer than a check may.
            answer = service.get("/ready")
        # and a request for another host name gets no answer, since this service has no token
        led = [
            requests.get(service.url(path), headers=LED, timeout=30)
            for path in ("/", "/train", "/docs", "/none")
        ]

    assert [(each.status_code, each.json()["status"]) for each in led] == [(421, 421)] * 4
    assert answer.status_code == 503
    assert answer.json()["servers"] == {
        "mongodb": "ok",
        "remote": "the DVC remote s3 (s3://bucket/dvc): no credentials: "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "mlflow": f"MLflow at {away} cannot be used (Connection refused): start it, or correct "
        "MLFLOW_TRACKING_URI",
        "git": "ok",
    }


def test_damaged_job_store_is_reported(project: Project) -> None:
    with running_service(project) as service:
        # Given the file is overwritten
        (project.root / "jobs/jobs.sqlite").write_text("no database at all")
        for left in project.root.glob("jobs/jobs.sqlite-*"):
            left.unlink()

        answers = service.post(), service.get("/train")

        assert service.get("/health").status_code == 200
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        detail = "the store of the jobs cannot be used: file is not a database"
        assert answer.json()["detail"] == detail
    assert [log.parent.name for log in project.root.glob("jobs/*/log.txt")] == ["recovery"]

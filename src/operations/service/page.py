"""The page at `/`: rendered on the server, and updated by a script without a build step."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from operations.service import guard
from operations.service.job_store import ACTIVE, Job
from operations.service.links import commit_url, commits_url, run_url
from operations.service.routes import Running
from operations.service.version_cache import Known, version_cache
from operations.versions.parameters import model_name
from operations.versions.version import SCORES
from pipeline.config.stages import STAGES
from pipeline.reporting.texts import TITLES

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
# The steps of a job, in their order.
STEPS = ("preparing", *STAGES, "publishing")
# How many of the newest versions and jobs the page lists.
LISTED = 50
HEADERS = {
    # A second defence besides escaping: injected content neither runs nor sends data elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@router.get("/")
def index(runner: Running) -> HTMLResponse:
    """The page."""
    content = html(runner.jobs.newest(LISTED), version_cache.get(), datetime.now(UTC))
    return HTMLResponse(content, headers=HEADERS)


@router.get("/page.js")
def script() -> Response:
    """The script of the page."""
    return Response(SCRIPT, headers=HEADERS, media_type="text/javascript")


@router.get("/page.css")
def style() -> Response:
    """The style of the page."""
    return Response(STYLE, headers=HEADERS, media_type="text/css")


def html(jobs: list[Job], known: Known, moment: datetime) -> str:
    """Return the page for these jobs (the newest first) and versions, at this time."""
    commits = commits_url()
    return TEMPLATE.render(
        now=moment,
        run_url=run_url,
        commit_url=lambda commit: commit_url(commits, commit),
        active=next((job for job in jobs if job.state in ACTIVE), None),
        jobs=jobs,
        name=model_name(),
        known=known,
        needs_token=bool(guard.token()),
        scores={name: TITLES[name] for name in SCORES},
        steps=STEPS,
        versions=known.versions[: -LISTED - 1 : -1],
    )


def utc(moment: datetime) -> str:
    """Return a time in UTC as text for people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def age(passed: timedelta) -> str:
    """Return a duration as text, in the largest unit that fits."""
    seconds = passed.total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if (count := int(seconds // length)) >= 1:
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def spent(job: Job) -> str:
    """Return how long a job took as text; empty while it runs, or if it never started."""
    if job.started_at is None or job.finished_at is None:
        return ""
    seconds = (job.finished_at - job.started_at).total_seconds()
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.0f} s"


# Read at the start of the process: a retrain may bring newer files into the folder.
ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "utc": utc,
    "age": age,
    "spent": spent,
    "moment": lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC),
}
TEMPLATE = ENVIRONMENT.get_template("page.html")
SCRIPT, STYLE = (FOLDER / "page.js").read_bytes(), (FOLDER / "page.css").read_bytes()

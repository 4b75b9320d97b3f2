"""The page in Chromium: the keyboard starts a retrain, and the page shows its progress up to version 2."""

from browser import Browser, needs_chromium, running_browser
from operations.service.job_store import Jobs, TrainRequest
from operations.service.page import STEPS
from project import Project
from served import Service, running_service
from team import CUSTOMERS, Team

import pytest
from selenium.webdriver.common.keys import Keys

TOKEN = "s3cret-token"
NASTY = "<img src=x onerror='console.error(1)'> & so on"

pytestmark = needs_chromium


@pytest.fixture
def published(team: Team) -> Project:
    """A checkout with version 1, new customers, and a failed retrain whose error contains markup."""
    team.arrive(CUSTOMERS, CUSTOMERS + 200)
    jobs = Jobs(team.project.root / "jobs" / "jobs.sqlite")
    job, _ = jobs.create(TrainRequest(), None)
    jobs.update(job.id, state="failed", error=NASTY)
    return team.project


def test_retrain_from_the_page(published: Project) -> None:
    with running_browser() as browser:
        with running_service(published) as service:
            browser.resize(360, 740)
            browser.driver.get(service.url("/"))
            version_1_is_shown(browser)
            the_button_starts_a_retrain(browser, service)
            the_steps_are_seen_until_the_end(browser, service)
            version_2_is_shown(browser, service)
            # A page that polls a service that has ended would log errors.
            browser.driver.get("about:blank")
        with running_service(published, TRAIN_API_TOKEN=TOKEN) as service:
            the_token_is_asked_for(browser, service)


def version_1_is_shown(browser: Browser) -> None:
    """The page shows the champion, its scores, the age of its data, and the error as text."""
    browser.until(lambda: "Version 1, on data that is" in browser.text("#champion"))
    assert "ROC AUC" in browser.text("#champion")
    assert browser.text("#jobs .wide") == NASTY
    assert browser.run("return document.images.length") == 0
    assert not browser.find("#progress").is_displayed()
    assert browser.overflow() == 0


def the_button_starts_a_retrain(browser: Browser, service: Service) -> None:
    """The tab key reaches the button, the return key presses it; the focus is visible and stays."""
    browser.tab_to("#retrain button")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert not jobs_of(service)
    # From here on, the page must update by events, not by its poll every half a minute.
    browser.run("for (let timer = 1; timer < 100; timer++) clearInterval(timer)")
    # Record every state of the progress.
    browser.run(
        "window.seen = []; const status = document.getElementById('status');"
        "new MutationObserver(() => seen.push(status.textContent)).observe(status, {childList: true})"
    )
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.text("#status").startswith("Running: "))
    assert [job["state"] for job in jobs_of(service)] in (["queued"], ["running"])
    # While a job runs, the button does nothing.
    browser.press(Keys.ENTER)
    assert browser.find("#retrain button").get_attribute("aria-disabled") == "true"
    assert browser.text("#problem") == ""


def the_steps_are_seen_until_the_end(browser: Browser, service: Service) -> None:
    """The page shows each step in order, the end of the log, then the result."""
    browser.until(lambda: browser.text("#status") == "Running: training", 120)
    states = dict(
        browser.run("return [...steps.children].map(step => [step.dataset.step, step.dataset.state])")
    )
    assert (states["training"], states["publishing"]) == ("running", "waiting")
    browser.until(lambda: "training" in browser.text("#log"))
    assert browser.run("return log.scrollHeight - log.scrollTop - log.clientHeight") < 8
    assert browser.overflow() == 0
    browser.until(lambda: browser.text("#status").startswith("succeeded: version 2 is published"), 120)
    seen = [text.removeprefix("Running: ") for text in browser.run("return seen")][:-1]
    assert seen == [step for step in STEPS if step in seen]
    assert {"ingestion", "training", "evaluation", "publishing"} <= set(seen)
    states = dict(
        browser.run("return [...steps.children].map(step => [step.dataset.step, step.dataset.state])")
    )
    assert states == dict.fromkeys(STEPS, "done")
    assert len(jobs_of(service)) == 1


def version_2_is_shown(browser: Browser, service: Service) -> None:
    """Version 2 is in the list, the history and the decision, without a reload."""
    browser.until(lambda: browser.driver.find_elements("css selector", "#jobs tbody tr a[href='#v2']"))
    job = jobs_of(service)[0]
    assert job["model_version"] == 2
    champion = 2 if job["promoted"] else 1
    assert f"Version {champion}, on data that is" in browser.text("#champion")
    assert "champion" in browser.text(f"#v{champion} th")
    assert browser.find("#jobs tbody tr a[href='#v2']").text == "2"
    assert f"{CUSTOMERS + 200:,} rows read, 0 rejected" in browser.text("#jobs .wide")
    assert browser.run("return document.activeElement.matches('#retrain button:not([aria-disabled])')")
    for width in (360, 800, 1280):
        browser.resize(width, 740)
        assert browser.overflow() == 0, width
    report = service.get("/" + str(browser.find("#v2 a[href$='report.html']").get_dom_attribute("href")))
    assert report.headers["content-type"].startswith("text/html")
    assert "churned = true" in report.text
    assert browser.complaints() == []


def the_token_is_asked_for(browser: Browser, service: Service) -> None:
    """A wrong token is refused and forgotten; the right one stays in this window alone."""
    before = len(jobs_of(service))
    browser.driver.get(service.url("/"))
    browser.tab_to("[name=token]")
    browser.press("wrong", Keys.ENTER)
    browser.until(lambda: browser.text("#problem") == "a valid bearer token is needed")
    assert browser.run("return sessionStorage.length") == 0
    assert browser.run("return document.activeElement.name") == "token"
    assert len(jobs_of(service)) == before
    assert all("401 (Unauthorized)" in message for message in browser.complaints())

    # Another client starts a job: the page shows that one.
    other = service.post(Authorization=f"Bearer {TOKEN}").json()["id"]
    browser.press(Keys.CONTROL + "a")
    browser.press(TOKEN, Keys.ENTER)
    browser.until(lambda: browser.text("#problem") == f"job {other} is running")
    browser.until(lambda: browser.text("#status").startswith("Running: "))
    assert browser.find("#whole-log").get_dom_attribute("href") == f"train/{other}/log"
    assert all("409 (Conflict)" in message for message in browser.complaints())

    assert browser.run("return [sessionStorage.token, localStorage.length, document.cookie]") == [
        TOKEN,
        0,
        "",
    ]
    assert TOKEN not in browser.driver.current_url
    assert TOKEN not in browser.run("return document.documentElement.outerHTML")
    assert TOKEN not in service.get("/").text


def jobs_of(service: Service) -> list[dict[str, object]]:
    """Return the jobs without the earlier failed one."""
    return [job for job in service.get("/train").json() if job["error"] != NASTY]

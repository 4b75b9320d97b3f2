"""Publishes the checkout in the current folder and dies by SIGKILL before or after one of the steps.

Reads lines of `before STEP` or `after STEP` from standard input, and writes how each attempt ended; `never`
publishes without a kill. Each attempt is a fork, which saves the seconds of the imports.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from operations.versions import publishing, pushing, recipe, registry, tags
from pipeline.config.errors import PipelineError

STEPS = (
    "push_data",
    "git commit",
    "git tag",
    "git push",
    "register",
    "record promotion",
    "make_champion",
    "record promoted",
)
# The version is served after these.
BEFORE_SERVING = STEPS[:5]


def dying(original: Callable[..., Any], step: str, when: str) -> Callable[..., Any]:
    """Wrap a function so that the process dies before or after it, if the step is this call."""
    *_, detail = step.split() if " " in step else (None,)

    def wrapped(*words: Any, **options: Any) -> Any:
        ours = detail is None or detail in words[:3]
        if ours and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = original(*words, **options)
        if ours and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    return wrapped


def attempt(when: str, step: str) -> None:
    """Publish, and die at the step."""
    publisher: Any = publishing
    if when != "never":
        owner = publisher
        name = step.split(maxsplit=1)[0]
        if name in {"register", "record", "make_champion"}:
            owner = registry.Registry
        elif name == "git":
            owner = {"git commit": recipe, "git tag": tags, "git push": pushing}[step]
        setattr(owner, name, dying(getattr(owner, name), step, when))
        if step in BEFORE_SERVING:
            # No process imports MLflow for a model that will not be served.
            publisher.started_early = nullcontext
    # Its output must not mix with the answers.
    os.dup2(2, 1)
    try:
        publishing.publish("main")
    except PipelineError as error:
        print(error, file=sys.stderr)
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Serve the attempts."""
    # Imported once, so that no attempt imports them.
    from operations.versions import promotion  # noqa: F401

    import mlflow.sklearn  # noqa: F401

    for line in sys.stdin:
        when, _, step = line.strip().partition(" ")
        if (child := os.fork()) == 0:
            attempt(when, step)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

"""The latency of the service under load: 200 requests for a retrain and 1,000 reads, 40 at a time.

The service runs in a fresh clone whose lock another process holds, so that the one job waits. Prints the
median and the 99th percentile of each, in milliseconds, and the statuses: one request is accepted, the others
are refused.
"""

import socket
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]


def timed(request: Callable[[], requests.Response]) -> tuple[float, int]:
    """Return the time of a request in milliseconds, and the status of the answer."""
    start = time.perf_counter()
    answer = request()
    return (time.perf_counter() - start) * 1000, answer.status_code


def wait_for(url: str) -> None:
    """Wait up to a minute for the service."""
    for _ in range(300):
        try:
            requests.get(url, timeout=1)
            return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def report(name: str, answers: list[tuple[float, int]]) -> None:
    """Print the median, the 99th percentile, and the count of each status."""
    percentiles = statistics.quantiles([taken for taken, _ in answers], n=100)
    codes = ", ".join(f"{n} x {code}" for code, n in sorted(Counter(code for _, code in answers).items()))
    print(f"{name}: median {percentiles[49]:.0f} ms, 99th percentile {percentiles[98]:.0f} ms ({codes})")


def main() -> None:
    """Measure and print the latencies."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ["pipeline", "serve", "--port", str(port)]
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        with (
            FileLock(clone / ".git/pipeline.lock"),
            subprocess.Popen(words, cwd=clone, stderr=subprocess.DEVNULL) as service,
        ):
            wait_for(f"{url}/health")
            with ThreadPoolExecutor(40) as pool:
                order = lambda: requests.post(f"{url}/train", timeout=60)  # noqa: E731
                read = lambda: requests.get(f"{url}/train", timeout=60)  # noqa: E731
                orders = [pool.submit(timed, order) for _ in range(200)]
                reads = [pool.submit(timed, read) for _ in range(1000)]
                report("POST /train", [each.result() for each in orders])
                report("GET /train", [each.result() for each in reads])
            service.terminate()


if __name__ == "__main__":
    main()

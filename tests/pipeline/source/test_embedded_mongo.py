"""The embedded server: its own process, which keeps its data and stops cleanly."""

import subprocess
from pathlib import Path
from typing import Any

from pipeline.config.errors import PipelineError
from pipeline.source import embedded_mongo
from pipeline.source.embedded_mongo import running_server
from reading import Document

import pytest
from pymongo import MongoClient


@pytest.mark.slow
def test_server_stops_at_any_time_and_keeps_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a stop right after the start, when its main thread may miss a signal
    started: list[subprocess.Popen[bytes]] = []

    def popen(*words: Any, **keys: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(*words, **keys))
        return started[-1]

    class Recording:
        Popen, STDOUT, DEVNULL = staticmethod(popen), subprocess.STDOUT, subprocess.DEVNULL
        TimeoutExpired = subprocess.TimeoutExpired

    monkeypatch.setattr(embedded_mongo, "subprocess", Recording)
    for number in range(4):
        with running_server(tmp_path) as uri, MongoClient[Document](uri) as client:
            assert client.crm.customers.count_documents({}) == number
            client.crm.customers.insert_one({"_id": number})

    assert [process.returncode for process in started] == [0, 0, 0, 0]


def test_storage_in_use_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    with running_server(tmp_path) as uri, MongoClient[Document](uri) as client:
        with (
            pytest.raises(PipelineError, match=r"did not start: see .*server\.log"),
            running_server(tmp_path),
        ):
            pass

        assert client.crm.customers.count_documents({}) == 0
    assert "lock" in (tmp_path / "server.log").read_text().lower()

"""Who may start a retrain."""

import pytest
from fastapi import HTTPException
from fastapi.security import HTTPAuthorizationCredentials

from pipeline.service.guard import authorized


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAIN_API_TOKEN", raising=False)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_starts_nothing_on_a_service_without_a_token(site: str) -> None:
    with pytest.raises(HTTPException) as refused:
        authorized(None, site)

    assert refused.value.status_code == 403


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_the_own_page_and_every_client_that_is_no_browser_may(site: str | None) -> None:
    authorized(None, site)


def test_with_the_token_it_matters_not_where_a_request_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_API_TOKEN", "right")
    authorized(HTTPAuthorizationCredentials(scheme="Bearer", credentials="right"), "cross-site")

    for given in (None, HTTPAuthorizationCredentials(scheme="Bearer", credentials="wrong")):
        with pytest.raises(HTTPException) as refused:
            authorized(given, "same-origin")
        assert refused.value.status_code == 401

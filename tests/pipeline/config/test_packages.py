"""Stages run with the packages of the lock only."""

from importlib.metadata import version
from pathlib import Path

from pipeline.config import packages
from pipeline.config.errors import ConfigurationError
from pipeline.config.packages import PACKAGES, check_packages, differing, packages_of
from project import ROOT, Project

import pytest


def test_stages_refuse_other_packages(ready: Project) -> None:
    # Given a new lock whose packages are not installed
    lock, here = ready.root / "requirements.lock", version("scikit-learn")
    assert f"scikit-learn=={here} " in lock.read_text()
    lock.write_text(lock.read_text().replace(f"scikit-learn=={here} ", "scikit-learn==99.1 "))
    before = ready.digests()

    for stage in ("training", "evaluation"):
        done = ready.stage(stage, check=False)

        assert (done.returncode, done.stdout) == (2, "")
        message = "the installed packages differ from requirements.lock: scikit-learn"
        more = f"{here} in place of 99.1: run 'make setup', or build the image again"
        assert done.stderr == f"{stage}: {message} {more}\n"
    assert ready.digests() == before


def test_each_package_is_compared_with_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert differing(lock) == []
    for name in PACKAGES:
        assert differing(lock.replace(f"\n{name}==", f"\n{name}==1!")) == [
            f"{name} {version(name)} in place of 1!{version(name)}"
        ]


def test_lock_with_several_versions_of_a_package(tmp_path: Path) -> None:
    here = version("numpy")
    text = f"numpy==99.1 ; python_version < '3'\nnumpy=={here} \\\n    --hash=sha256:0\n"
    (tmp_path / "requirements.lock").write_text(text)

    check_packages()

    assert differing(text.replace(here, "99.2")) == [f"numpy {here} in place of 99.1 or 99.2"]


def test_an_extra_has_the_version_of_its_lock_or_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = {"lightgbm": "none"}
    monkeypatch.setattr(packages, "_installed", lambda name: here.get(name) or version(name))
    Path("requirements.lock").write_text(f"numpy=={version('numpy')} \\\n")
    Path("requirements-boosters.lock").write_text("lightgbm==4.1 \\\n")

    check_packages()
    here["lightgbm"] = "4.1"
    check_packages()
    here["lightgbm"] = "4.0"
    with pytest.raises(
        ConfigurationError, match=r"lightgbm 4\.0 in place of 4\.1: run 'make setup EXTRAS=boosters'"
    ):
        check_packages()

    # A model that needs it cannot be read without it.
    here["lightgbm"] = "none"
    assert differing("lightgbm==4.1\n") == ["lightgbm none in place of 4.1"]
    assert packages_of("lightgbm") == (*PACKAGES, "lightgbm")
    assert packages_of("random_forest") == PACKAGES

"""A model is never made with other packages than those that its lock names."""

import re
from importlib.metadata import version

import pytest

from project import Project


@pytest.mark.parametrize("stage", ["training", "evaluation"])
def test_other_packages_than_the_locked_ones_make_and_score_no_model(ready: Project, stage: str) -> None:
    # Given somebody who pulled new packages and installed nothing
    lock = ready.root / "requirements.lock"
    here = version("scikit-learn")
    assert f"scikit-learn=={here} " in lock.read_text()
    lock.write_text(lock.read_text().replace(f"scikit-learn=={here} ", "scikit-learn==99.1 "))
    before = ready.digests()

    done = ready.stage(stage, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    said = f"{stage}: installed are other packages than requirements.lock names: scikit-learn {here} in place"
    assert done.stderr == f"{said} of 99.1: run 'make setup', or build the image again\n"
    assert ready.digests() == before


def test_one_of_several_that_a_lock_names_for_several_pythons_is_right(ready: Project) -> None:
    lock = ready.root / "requirements.lock"
    text = re.sub(r"^(scikit-learn==)", r"\g<1>99.1 ; python_version < '3'\n\1", lock.read_text(), flags=re.M)
    lock.write_text(text)

    assert ready.stage("training").returncode == 0

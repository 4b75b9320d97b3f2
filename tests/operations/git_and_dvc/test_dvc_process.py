"""DVC as its own process: the error of a stage that fails."""

from pathlib import Path

from operations.git_and_dvc.dvc_process import repro
from pipeline.config.errors import PipelineError
from project import ROOT, Project

import pytest

# A shell with one command replaces itself by it, or waits and exits with 128 + 9: both exist.
KILLED = "failed to reproduce 'training': failed to run: .*exited with (-9|137)"
STAGE = """stages:
  training:
    cmd: >-
      python -c "import os; from pipeline.source.progress import say_above_bar;
      say_above_bar('warning: no snapshot'); {end}"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("os.kill(os.getpid(), 9)", KILLED),
        ("exit('training: too few rows')", "training: too few rows"),
    ],
)
def test_error_is_the_last_line_of_the_stage(
    end: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    Project(tmp_path).dvc("init", "--no-scm", "--quiet")
    (tmp_path / "dvc.yaml").write_text(STAGE.format(end=end))

    with pytest.raises(PipelineError, match=f"^{message}; nothing was published$"):
        repro()

"""`make setup` installs with uv from pip's indexes, and with pip if uv is not available."""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

from project import ROOT, environment

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UV = Path(sys.executable).with_name("uv")


def wheel(folder: Path, name: str) -> str:
    """Write the wheel of an empty package, and return its line for a lock."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as files:
        files.writestr(f"{name}.py", "")
        files.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        files.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Create the environment `.venv` with pip alone, and return the folder of its packages."""
    venv.create(tmp_path / ".venv", symlinks=True)
    [folder] = tmp_path.glob(".venv/lib/*/site-packages")
    # Link the pip of the tests' environment: installing pip takes seconds.
    (folder / "pip.pth").write_text(sysconfig.get_path("purelib"))
    return Path(folder)


@pytest.mark.skipif(not UV.exists(), reason="uv is not installed: pip set this environment up")
def test_uv_installs_from_the_indexes_and_folders_of_pip(tmp_path: Path, packages: Path) -> None:
    # Given a package in the index of pip.conf, another in a folder of PIP_FIND_LINKS, and a missing folder
    index, links, lock = tmp_path / "simple", tmp_path / "wheels", tmp_path / "lock"
    lock.write_text(wheel(index / "one", "one") + wheel(links, "two"))
    (index / "one/index.html").write_text('<a href="one-1.0-py3-none-any.whl">one-1.0-py3-none-any.whl</a>')
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.as_uri()}\n")
    (tmp_path / ".venv/bin/uv").symlink_to(UV)
    env = environment(
        PIP_CONFIG_FILE=str(tmp_path / "pip.conf"),
        PIP_FIND_LINKS=f"{tmp_path}/missing {links}",
        UV_NO_CACHE="1",
        UV_SYSTEM_PYTHON="1",  # not into another Python
    )

    words = [ROOT / "tools/uv.py", "pip", "install", "--require-hashes", "-r", lock]
    done = subprocess.run(
        [tmp_path / ".venv/bin/python", *words], env=env, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert {path.name for path in packages.glob("*.py")} == {"one.py", "two.py"}


@pytest.mark.slow
def test_pip_installs_where_uv_is_not_available(tmp_path: Path, packages: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("pyproject.toml", "requirements.lock", ".venv/.runtime"):
        (tmp_path / name).touch()
    (tmp_path / "requirements-dev.lock").write_text(wheel(tmp_path / "wheels", "one"))
    env = environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path / "wheels"))

    # make exports these variables if it runs the tests.
    env = {name: value for name, value in env.items() if not name.startswith("MAKE")}

    done = subprocess.run(
        ["make", ".venv/.development"], cwd=tmp_path, env=env, check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (0, "make: uv failed, trying pip ...\n"), done.stderr
    assert (packages / "one.py").exists()


def test_the_locks_fit_the_dependencies_of_the_project() -> None:
    """A pull request that changes a dependency without `make lock` fails here."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = content["project"]["dependencies"]
    extras = content["project"]["optional-dependencies"]
    locks = {
        "requirements.lock": wanted,
        "requirements-dev.lock": wanted + extras["dev"],
        "requirements-bench.lock": wanted + extras["bench"],
        "requirements-boosters.lock": content["dependency-groups"]["boosters"],
        "requirements-uv.lock": content["dependency-groups"]["setup"],
    }

    for file, requirements in locks.items():
        lines = [
            line.split()[0] for line in (ROOT / file).read_text().splitlines() if "==" in line.split("#")[0]
        ]
        locked = dict(line.split("==") for line in lines)
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name))
            assert version, f"{file} lacks {requirement}: run 'make lock'"
            assert requirement.specifier.contains(version, prereleases=True), (
                f"{file}: {requirement}: run 'make lock'"
            )


def test_no_hook_checks_what_a_publication_commits(tmp_path: Path) -> None:
    env = environment(PRE_COMMIT_HOME=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--files", "dvc.lock", "params.yaml"],
        cwd=ROOT,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Skipped") == len(done.stdout.splitlines()) == 3

"""Checks that the DVC remotes of the outputs are set so that they can store versions."""

from pathlib import Path
from typing import Any

from operations.git_and_dvc.dvc_repository import dvc_repository, kept_by_git
from operations.git_and_dvc.git import git
from pipeline.config.errors import ConfigurationError, PipelineError

from dvc.exceptions import DvcException
from dvc.fs import get_fs_config
from dvc.repo import Repo

# With these settings, dvc.lock names cloud versions of files instead of objects by their hashes.
BY_VERSION = ("version_aware", "worktree")


def check_remotes() -> None:
    """Check that the remotes of the outputs can store a version, before anything is written.

    Raises:
        ConfigurationError: a remote is not set, does not name objects by hash, is read-only, is the cache, or
            is inside this worktree; or an output is not pushed.
    """
    try:
        kept_by_git()
    except PipelineError as error:
        raise ConfigurationError(str(error)) from None
    with dvc_repository("remote list") as repo:
        local = repo.config.load_one("local").get("remote", {})
        for name in remotes_in_use(repo):
            try:
                settings = get_fs_config(repo.config, name=name)
            except DvcException:
                raise ConfigurationError(
                    f"there is no DVC remote {name}: 'dvc remote add {name} URL' adds it"
                ) from None
            for key in BY_VERSION:
                if str(settings.get(key, False)).lower() == "true":
                    where = "--local " if key in local.get(name, {}) else ""
                    raise ConfigurationError(
                        f"the DVC remote {name} is set to {key}, which keeps no objects by their hashes, as "
                        f"versions need them: 'dvc remote modify {where}{name} {key} false'"
                    )
            _check_place(repo, name, str(settings["url"]))


def remotes_in_use(repo: Repo) -> list[str]:
    """Return the names of the default remote and of the remotes that outputs name, in this order.

    Raises:
        ConfigurationError: there is no default remote.
    """
    default = repo.config["core"].get("remote")
    if not default:
        raise ConfigurationError("DVC has no default remote: 'dvc remote default NAME' sets it")
    own = {out.remote for out in repo.index.outs if out.use_cache and out.remote}
    return [default, *sorted(own - {default})]


def _check_place(repo: Repo, name: str, url: str) -> None:
    if url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"the DVC remote {name} is read over HTTP, where nothing can be listed: name one that can be "
            f"written and listed ('dvc remote modify {name} url s3://BUCKET/FOLDER')"
        )
    try:
        remote: Any = repo.cloud.get_remote_odb(name)
    except (DvcException, ImportError) as error:
        message = " ".join(str(error).split())[:200]
        raise ConfigurationError(f"the DVC remote {name} cannot be used: {message}") from None
    if remote.fs.protocol != "local":
        return
    place = Path(remote.path).resolve()
    if place == Path(repo.cache.local.path).resolve():
        raise ConfigurationError(
            f"the DVC remote {name} is the cache itself: 'dvc remote modify {name} url PATH' names another"
        )
    own, common = git("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").splitlines()
    # A bare repository has no main checkout, so its worktrees are not temporary.
    linked = own != common and Path(common).name == ".git"
    if linked and place.is_relative_to(Path.cwd()):
        raise ConfigurationError(
            f"the DVC remote {name} ({url}) is a folder in this worktree, and is deleted with it: name one "
            f"that stays ('dvc remote modify --local {name} url PATH')"
        )

"""The commands on published versions: list and explain them, choose the champion, restore, delete."""

import json
from typing import Annotated

from operations.console import echo, echo_result
from operations.retraining.exclusive import exclusive
from pipeline.config.errors import ConfigurationError, PipelineError

import typer

app = typer.Typer()


def _stated(reason: str) -> str:
    if not reason.strip():
        raise ConfigurationError("--reason is empty: say why, for those who read the history")
    return reason


AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
Number = Annotated[int, typer.Argument(metavar="VERSION", min=1)]
Reason = Annotated[str, typer.Option(callback=_stated, help="why, for those who read the history")]


@app.command("models")
def list_models(
    as_json: AsJson = False,
    containing: Annotated[
        str | None,
        typer.Option("--with", metavar="HASH", help="those of this commit, or that used this file or folder"),
    ] = None,
) -> None:
    """List every registered version: alias, data, commit, scores."""
    from operations.service.links import report_link
    from operations.versions.as_text import table
    from operations.versions.registration import opened_registry
    from operations.versions.registry import none_published

    registry = opened_registry()
    versions = registry.scored()
    if containing is not None:
        from operations.versions.provenance import versions_with

        versions = versions_with(versions, containing.lower())
    rows = [version.summary() | {"report": report_link(version)} for version in versions]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if containing is not None and not rows:
        print(f"no version has the hash {containing}: 'pipeline lineage N' and dvc.lock name them")
        return
    if not rows:
        print(none_published())
        return
    for line in table(rows):
        print(line)
    if local := ", ".join(str(version.number) for version in versions if version.local):
        why = registry.unshared or "the commit and the tag of each are only in the clone that published it"
        print(f"local versions: {local}; {why}")


@app.command("lineage")
def show_lineage(version: Number, as_json: AsJson = False) -> None:
    """Show what made a version, and how to bring it back."""
    from operations.versions import as_text
    from operations.versions.lineage import lineage
    from operations.versions.registration import opened_registry

    content = lineage(opened_registry(), version)
    if as_json:
        print(json.dumps(content, indent=2))
        return
    for line in as_text.lineage(content):
        print(line)


@app.command("rollback")
def roll_back(version: Number, reason: Reason) -> None:
    """Make a version champion again, and pin it.

    Before that, its data and its model are proven to be restorable. A pinned champion is replaced by a
    measurably better version, or after 'pipeline unpin'.
    """
    from operations.versions.restoring import rollback
    from operations.versions.version import tag_of

    with exclusive():
        replaced = rollback(version, reason)
    replacing = f", in place of version {replaced.number}" if replaced else ""
    echo(f"version {version} is champion{replacing}; pinned until 'pipeline unpin' or a better version")
    echo("a server that loaded the champion by its alias keeps the old one: restart it")
    echo_result(f"to bring the workspace there: git checkout {tag_of(version)} && dvc pull")


@app.command("unpin")
def lift_pin(reason: Reason) -> None:
    """Lift the pin of the champion.

    A version that is as good as the champion replaces it again.
    """
    from operations.versions.restoring import unpin

    with exclusive():
        champion = unpin(reason)
    unpinned = f"version {champion.number} is unpinned" if champion else None
    echo_result(unpinned or "the champion is not pinned: nothing was changed")


@app.command("drill")
def rehearse() -> None:
    """Restore every version, and verify every byte.

    Each is fetched into an empty cache and compared with its hashes.
    """
    from operations.versions.housekeeping import drill
    from operations.versions.registry import none_published
    from operations.versions.tags import tags_anywhere

    failed = proven = 0
    with exclusive():
        for version, wrong in drill():
            failed += wrong is not None
            proven += wrong is None
            print(f"version {version.number}: {wrong or 'restored, every byte as published'}", flush=True)
    if failed:
        raise PipelineError(f"{failed} version(s) cannot be restored")
    if not proven:
        if tags_anywhere():
            raise PipelineError(none_published())
        print(none_published())


@app.command("gc")
def delete_old_data(
    cloud: Annotated[bool, typer.Option("--cloud", help="on the remote too, not only in the cache")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="only say what would go")] = False,
) -> None:
    """Delete data that nothing needs any more.

    What counts is every version, every branch, the experiments of this clone, and this workspace.
    """
    from operations.versions.housekeeping import collect_garbage

    with exclusive():
        print(collect_garbage(cloud, dry), end="")
    if dry:
        print("that is what would go: nothing was deleted")
        return
    print("what every version and every branch needs is kept: 'pipeline drill' proves it")

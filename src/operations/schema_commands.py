"""The commands `pipeline schema infer` and `pipeline schema check`."""

import difflib
import json
from typing import Annotated, Any

from operations.console import echo, echo_result
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import PATH, explain, load
from pipeline.data.atomic import atomic_file
from pipeline.source.parameters import IngestionParameters

import typer
from pydantic import ValidationError

app = typer.Typer(
    help="Propose the schema from the collection, and compare it with the collection.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Everything = Annotated[bool, typer.Option("--all", help="read every document, not a random sample of 10,000")]


@app.command("infer")
def infer(
    target: Annotated[
        str | None, typer.Option(metavar="PATH=VALUE", help="the field and the value that the model predicts")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="write the schema into params.yaml")] = False,
    collection: Annotated[
        str | None,
        typer.Option(metavar="DATABASE.COLLECTION", help="read this one, and not that of params.yaml"),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option("--filter", metavar="JSON", help="a MongoDB query, in place of ingestion.filter"),
    ] = None,
    everything: Everything = False,
) -> None:
    """Propose the schema: a column for each useful field, and the reason for each other field.

    Without --write, nothing is changed.
    """
    from operations.schema.propose import propose
    from operations.schema.reading import no_document, reading
    from operations.schema.settings import changed, present_schema
    from operations.schema.table import lines_of
    from operations.versions.parameters import MLflowParameters
    from pipeline.checks.parameters import ValidationParameters

    if write and target is None:
        raise ConfigurationError("--write needs --target PATH=VALUE: run without --write for the candidates")
    changes, source = _source(collection, query)
    present = present_schema()
    with reading(source, everything) as documents:
        if next(documents(), None) is None:
            raise ConfigurationError(no_document(documents, changes))
        max_auc = load("validation", ValidationParameters).max_single_column_auc
        proposal = propose(documents, documents.complete, target, max_auc, present)
    for line in lines_of(proposal, documents):
        echo(line)
    if proposal.section is None:
        return
    total = proposal.profile.documents if documents.complete else documents.total
    before, after, notes = changed(proposal.section, changes, total, present)
    lines = before.splitlines(), after.splitlines()
    for line in difflib.unified_diff(*lines, str(PATH), str(PATH), lineterm="", n=1):
        echo(line)
    for note in notes:
        echo(note)
    if not write:
        echo_result("nothing was changed: --write writes it")
        return
    with atomic_file(PATH) as path:
        path.write_bytes(after.encode())
    name = load("mlflow", MLflowParameters).registered_model
    echo(f"the model is registered as {name}: mlflow.registered_model in {PATH}")
    echo_result(f"{PATH} is written: 'dvc repro' runs the pipeline, 'git diff {PATH}' shows the changes")


@app.command("check")
def check(everything: Everything = False) -> None:
    """Compare the schema with the documents of the collection, and change nothing.

    Exit code 1 if a retrain would fail.
    """
    from operations.schema.compare import compare
    from operations.schema.reading import reading
    from pipeline.config.contract import load_contract

    contract = load_contract()
    with reading(load("ingestion", IngestionParameters), everything) as documents:
        found = compare(documents, contract)
    for line in (found.summary, *found.lines):
        echo(line)
    if found.failures:
        raise PipelineError(f"a retrain would fail: {'; '.join(found.failures)}")
    echo_result("a retrain would pass validation, as far as these documents show")


def _source(collection: str | None, query: str | None) -> tuple[dict[str, Any], IngestionParameters]:
    """Return the keys of `ingestion` that the options change, and the section with them."""
    changes: dict[str, Any] = {}
    if collection is not None:
        database, dot, name = collection.partition(".")
        if not (database and dot and name):
            raise ConfigurationError(f"--collection {collection}: name it as DATABASE.COLLECTION")
        changes |= {"source": "mongodb", "database": database, "collection": name, "filter": {}}
    if query is not None:
        try:
            changes["filter"] = json.loads(query)
        except ValueError as error:
            raise ConfigurationError(f"--filter: not JSON: {error}") from None
    section = load("ingestion", IngestionParameters).model_dump() | changes
    try:
        return changes, IngestionParameters.model_validate(section)
    except ValidationError as error:
        raise ConfigurationError(f"--filter: {explain('ingestion', error)}") from None

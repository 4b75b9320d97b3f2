"""The commands `pipeline schema ...`."""

import difflib
import json
from typing import Annotated, Any

from operations.console import echo, echo_result
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import PATH, load
from pipeline.source.parameters import IngestionParameters

import typer
from pydantic import ValidationError

app = typer.Typer(
    help="Propose the schema from the collection, and compare it with the collection.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Collection = Annotated[
    str | None,
    typer.Option(metavar="DATABASE.COLLECTION", help="read this collection of MONGODB_URI, not ingestion's"),
]
Filter = Annotated[
    str | None,
    typer.Option("--filter", metavar="JSON", help="read what this query selects, not ingestion.filter"),
]
Everything = Annotated[bool, typer.Option("--all", help="read every document, not a random sample of 10,000")]


@app.command("infer")
def infer(
    target: Annotated[
        str | None, typer.Option(metavar="PATH=VALUE", help="the field and the value that the model predicts")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="write the schema into params.yaml")] = False,
    collection: Collection = None,
    query: Filter = None,
    everything: Everything = False,
) -> None:
    """Propose the schema: a column for each useful field, and the reason for each other one.

    Nothing is changed without --write.
    """
    from operations.schema.propose import propose
    from operations.schema.reading import reading
    from operations.schema.settings import changed, max_auc
    from operations.schema.table import lines_of

    if write and target is None:
        raise ConfigurationError("--write needs --target PATH=VALUE: run without --write for the candidates")
    ingestion, source = _source(collection, query)
    with reading(source, everything) as documents:
        proposal = propose(documents, documents.complete, target, max_auc())
        for line in lines_of(proposal, documents):
            echo(line)
        total = documents.total
    if proposal.section is None:
        return
    before, after = changed(proposal.section, ingestion, total)
    diff = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(PATH), str(PATH), lineterm="", n=1
    )
    for line in diff:
        echo(line)
    if write:
        PATH.write_text(after, encoding="utf-8")
    echo_result(
        f"{PATH} is written: 'pipeline check', then 'dvc repro'"
        if write
        else "nothing was changed: --write writes it"
    )


def _source(collection: str | None, query: str | None) -> tuple[dict[str, Any], IngestionParameters]:
    """Return the keys of `ingestion` that the options change, and the section with them."""
    changes: dict[str, Any] = {}
    if collection is not None:
        database, dot, name = collection.partition(".")
        if not (database and dot and name):
            raise ConfigurationError(f"--collection {collection}: name it as DATABASE.COLLECTION")
        changes |= {"source": "mongodb", "database": database, "collection": name, "filter": {}}
    before = load("ingestion", IngestionParameters)
    if query is not None:
        try:
            changes["filter"] = json.loads(query)
        except ValueError as error:
            raise ConfigurationError(f"--filter: not JSON: {error}") from None
    try:
        return changes, IngestionParameters.model_validate(before.model_dump() | changes)
    except ValidationError as error:
        from pipeline.config.parameters import explain

        raise ConfigurationError(f"--filter: {explain('ingestion', error)}") from None

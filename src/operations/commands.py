"""The commands: each parses its arguments, calls one function, and prints the result."""

from pathlib import Path
from typing import Annotated, Any

from operations import schema_commands, version_commands
from operations.console import echo_result
from operations.retraining.exclusive import exclusive
from pipeline.config.errors import ConfigurationError, PipelineError
from pipeline.config.parameters import load
from pipeline.source.parameters import IngestionParameters

import typer

app = typer.Typer(
    help="The commands around the pipeline; the stages themselves run with 'dvc repro'.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(version_commands.app)
app.add_typer(schema_commands.app, name="schema")


@app.command("arrivals")
def arrive(
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="how many customers arrive")],
) -> None:
    """Let the next N sample customers arrive in the embedded database."""
    from pipeline.source.sample import let_arrive, sample_server

    from pymongo import MongoClient

    if load("ingestion", IngestionParameters).source != "sample":
        raise ConfigurationError("params.yaml reads another source: only the sample has arrivals")
    with sample_server() as uri, MongoClient[dict[str, Any]](uri) as client:
        present = let_arrive(client, count)
    print(f"{count:,} customers arrived, {present:,} are there; this reads them and runs what changed:")
    print("dvc repro --force --single-item ingestion && dvc repro")
    print("and 'pipeline retrain' publishes it as well")


@app.command("check")
def check_all() -> None:
    """Check everything that a retrain needs, in seconds, and change nothing.

    Only an object pipeline-check is written to the DVC remote, and removed.
    """
    from operations.readiness.report import report

    failed = 0
    for well, line in report():
        failed += not well
        print(line)
    if failed:
        raise PipelineError(f"{failed} of the checks found something wrong: a retrain would fail")


@app.command("publish")
def publish_here() -> None:
    """Publish what 'dvc repro' made here.

    Data, commit, tag, version; and champion if it is good enough.
    """
    with exclusive():
        from operations.git_and_dvc.git import branch
        from operations.retraining.outcomes import outcome_of
        from operations.versions.publishing import publish

        echo_result(outcome_of(publish(branch())).message)


@app.command("retrain")
def retrain(
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="on the data that the lock names, not on new data (CI)")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="every stage, whether changed or not")] = False,
    read_source: Annotated[
        bool, typer.Option("--read-source", help="with --keep-data: ingestion may run if it changed")
    ] = False,
    data_from: Annotated[
        int | None,
        typer.Option("--data-from", metavar="VERSION", min=1, help="on the exact data of that version"),
    ] = None,
    set_param: Annotated[
        list[str] | None,
        typer.Option("-S", "--set-param", metavar="NAME=VALUE", help="with --data-from: change a parameter"),
    ] = None,
    promote: Annotated[
        bool | None,
        typer.Option(
            "--promote/--no-promote",
            help="may the version become champion? The default is yes, and with --data-from no",
        ),
    ] = None,
) -> None:
    """Read new data, run the changed stages, publish the result.

    All of it is done, or everything stays as it was.
    """
    from operations.git_and_dvc.git import branch
    from operations.retraining.request import Request
    from operations.retraining.transaction import run

    if data_from is not None and (keep_data or read_source or everything):
        raise ConfigurationError("--data-from cannot be combined with --keep-data, --read-source or --all")
    if read_source and not keep_data:
        raise ConfigurationError("--read-source needs --keep-data: without it the source is read anyway")
    if set_param and data_from is None:
        raise ConfigurationError("-S needs --data-from: else edit params.yaml and commit it")
    if promote and data_from is None:
        raise ConfigurationError("--promote needs --data-from: without it, promotion is the default")
    request = Request(
        branch=branch(),
        keep_data=keep_data,
        read_source=read_source,
        everything=everything,
        data_from=data_from,
        overrides=tuple(set_param or ()),
        promote=promote,
    )
    echo_result(run(request).message)


@app.command("tune")
def tune_parameters(
    trials: Annotated[
        int, typer.Option(metavar="N", min=2, help="how many sets of parameters, the present ones included")
    ] = 40,
    dry: Annotated[bool, typer.Option("--dry", help="only print the result")] = False,
) -> None:
    """Search better parameters of the algorithm, and write them to params.yaml.

    The search uses training.search and the training split. It continues where a killed one ended.
    """
    from operations.tuning.tune import tune

    echo_result(tune(trials, dry))


@app.command("serve")
def serve_api(
    host: Annotated[
        str, typer.Option(help="the address to listen on; not loopback needs TRAIN_API_TOKEN")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Serve the retraining API, and a page to watch it, until stopped."""
    from operations.service.serve import serve

    serve(host, port)


@app.command("report")
def report_changes(
    base: Annotated[str, typer.Option(help="the commit to compare with")] = "origin/main",
    output: Annotated[Path, typer.Option(help="the Markdown file; the pages go beside it")] = Path(
        "report.md"
    ),
) -> None:
    """Compare this workspace with a commit, in Markdown.

    Metrics and parameters, ready for a comment, and the page of the evaluation of both.
    """
    from operations.versions.report import write_report

    write_report(base, output)
    print(f"{output} is written, the pages of the evaluations beside it")

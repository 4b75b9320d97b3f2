"""README and docs name commands, options, targets, files and parameters that exist."""

import re
from pathlib import Path

from operations.commands import app
from project import ROOT

import pytest
import typer

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
# Inline code, and the lines of code blocks.
CODE = re.compile(r"`([^`\n]+)`|^\$ (.+?)(?: {2,}#.*)?$", re.MULTILINE)
GROUPS = dict(vars(typer.main.get_command(app))["commands"])
# The commands by name; a command of a group is named like `schema infer`.
COMMANDS = {name: command for name, command in GROUPS.items() if "commands" not in vars(command)} | {
    f"{group} {name}": command
    for group, content in GROUPS.items()
    for name, command in vars(content).get("commands", {}).items()
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists(page: Path) -> None:
    for inline, example in CODE.findall(page.read_text()):
        text = inline or example
        for words in re.findall(r"(?:^|\bin/|&& |; )pipeline ([a-z]+[^&|;#]*)", text):
            command, *rest = words.split()
            if command in GROUPS and command not in COMMANDS:
                command, *rest = f"{command} {rest[0]}", *rest[1:]
            assert command in COMMANDS, text
            known = {
                name for option in COMMANDS[command].params for name in option.opts + option.secondary_opts
            }
            given = {word.partition("=")[0] for word in rest if re.match(r"--?[A-Za-z]", word)}
            assert given <= known, text
        for target in re.findall(r"(?:^|&& )make ([a-z-]+)", text):
            assert target in TARGETS, text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_a_page_exists(page: Path) -> None:
    for path in re.findall(r"`((?:src|tests|docs|deploy|benchmarks|tools)/[\w./{}-]+)`", page.read_text()):
        # The first is a pattern of files, the second has secrets.
        assert "{" in path or path == "deploy/.env" or (ROOT / path).exists(), path


def test_readme_is_short_and_links_all_pages() -> None:
    text = (ROOT / "README.md").read_text()
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}

    assert len(text.splitlines()) <= 150
    assert pages <= set(re.findall(r"\((docs/[^)]+)\)", text))

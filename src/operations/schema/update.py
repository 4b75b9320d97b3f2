"""Keeps what the present schema declares, so that a second inference is an update."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from operations.schema.decide import Column, Decision
from pipeline.config.contract import Contract

# A declared type stays if it accepts all values of the proposed one.
ACCEPTS = {"number": "integer", "string": "category"}


def declared(contract: Contract) -> dict[str, tuple[str, Column]]:
    """Return the name and the declaration of each column, by path."""
    columns = {}
    for name, column in contract.columns.items():
        keys = column.model_dump(exclude_defaults=True, exclude={"path"})
        columns[column.path] = name, keys | ({"values": list(column.values)} if column.values else {})
    return columns


def updated(found: Iterable[Decision], present: Contract) -> list[Decision]:
    """Return the decisions, with the declarations of the present schema where documents have the field.

    A declared field that a new proposal leaves out stays a column.
    """
    columns = declared(present)
    decisions = []
    for decision in found:
        if decision.path == present.id:
            decisions.append(replace(decision, column=None, why="the id"))
        elif decision.path in columns and decision.field.present:
            column = merged(columns[decision.path][1], decision.column)
            why = decision.why if decision.column else f"kept, although: {decision.why}"
            decisions.append(replace(decision, column=column, why=why))
        else:
            decisions.append(decision)
    return decisions


def merged(present: Column, proposed: Column | None) -> Column:
    """Return a declaration that accepts what either one accepts; the proposed one for another type."""
    if proposed is None:
        return present
    if proposed["type"] not in (present["type"], ACCEPTS.get(present["type"])):
        return proposed
    wider: Column = {"type": present["type"]}
    for key, most in (("minimum", min), ("maximum", max), ("values", _union)):
        if key in present and key in proposed:
            wider[key] = most(present[key], proposed[key])
    return wider | ({"nullable": True} if "nullable" in {*present, *proposed} else {})


def _union(present: Iterable[Any], proposed: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys([*present, *proposed]))

"""Proposes the contract: the useful fields, without those that reject too much or leak the target."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from operations.schema.decide import Decision, decisions
from operations.schema.names import column_name
from operations.schema.profile import Profile
from operations.schema.prove import Proof, prove
from operations.schema.target import candidates, parsed, with_target
from operations.schema.update import declared, updated
from pipeline.checks.leakage import suspicious
from pipeline.config.contract import Contract
from pipeline.config.errors import ConfigurationError
from pipeline.config.parameters import explain

from pydantic import ValidationError

# The share of the documents that the proposed contract may reject: half of the default bound of a run.
REJECTED = 0.005

Documents = Callable[[], Iterable[dict[str, Any]]]


@dataclass
class Proposal:
    """The decisions; with a target also the section `schema`, and its proof."""

    profile: Profile
    decisions: list[Decision]
    names: dict[str, str] = field(default_factory=dict)
    candidates: list[str] = field(default_factory=list)
    section: dict[str, Any] | None = None
    proof: Proof | None = None


def propose(
    documents: Documents, complete: bool, target: str | None, max_auc: float, present: Contract | None = None
) -> Proposal:
    """Return the proposal for documents, which are read up to three times.

    `target` is `path=value`. Columns that alone rank it with a ROC AUC above `max_auc` are left out.
    What the `present` schema declares is kept where it can be.

    Raises:
        ConfigurationError: the target is not possible, or no field can be a feature.
    """
    profile = Profile(documents())
    found = decisions(profile, complete)
    if present:
        found = updated(found, present)
    if target is None:
        return Proposal(profile, found, _names(found, present), candidates(found))
    path, text = parsed(target)
    found, positive = with_target(found, profile, path, text)
    for attempt in range(2):
        names = _names(found, present)
        section = _section(found, names, path, positive) | ({"id": present.id} if present else {})
        contract = checked(section)
        proof = prove(contract, documents())
        if attempt or not (dropped := _dropped(proof, contract, max_auc)):
            break
        why = {path: dropped[name] for path, name in names.items() if name in dropped}
        found = [Decision(one.field, None, why[one.path]) if one.path in why else one for one in found]
    return Proposal(profile, found, names, section=section, proof=proof)


def checked(section: dict[str, Any]) -> Contract:
    """Return the section `schema` as a contract.

    Raises:
        ConfigurationError: no field can be a feature.
    """
    try:
        return Contract.model_validate(section)
    except ValidationError as error:
        raise ConfigurationError(f"no schema fits the documents: {explain('schema', error)}") from None


def _names(found: list[Decision], present: Contract | None) -> dict[str, str]:
    """Return the names of the columns, by path: those of the present schema, and new ones."""
    columns = {decision.path: decision.field.path for decision in found if decision.column is not None}
    known = declared(present) if present else {}
    names = {path: known[path][0] for path in columns if path in known}
    for path, parts in columns.items():
        if path not in names:
            names[path] = column_name(parts, names.values())
    return names


def _section(
    found: list[Decision], names: dict[str, str], target: str, positive: bool | int | str
) -> dict[str, Any]:
    columns = {
        names[decision.path]: {"path": decision.path, **decision.column}
        for decision in found
        if decision.column is not None
    }
    return {"id": "_id", "target": {"column": names[target], "positive": positive}, "columns": columns}


def _dropped(proof: Proof, contract: Contract, max_auc: float) -> dict[str, str]:
    """Return the columns that leak the target or reject too much, with the reasons."""
    dropped: dict[str, str] = {}
    for name, score in suspicious(proof.rows(contract), contract, max_auc).items():
        if score > max_auc:
            for column in name.split(" + "):
                dropped.setdefault(
                    column, f"looks like a consequence of the target: {name} alone has ROC AUC {score:.4f}"
                )
    free = set(contract.columns) - {contract.target.column, *dropped}
    while proof.rejected_without(set(dropped)) > REJECTED * proof.read:
        before = proof.rejected_without(set(dropped))
        gains = {
            name: before - proof.rejected_without({*dropped, name}) for name in sorted(free - set(dropped))
        }
        worst = max(gains, key=lambda name: gains[name], default=None)
        if worst is None or not gains[worst]:
            break
        dropped[worst] = f"would reject {gains[worst]:,} of {proof.read:,} documents"
    return dropped

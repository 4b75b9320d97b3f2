"""Proposes the contract: the useful fields, without those that reject too much or leak the target."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from operations.schema.decide import Decision, decisions
from operations.schema.names import column_name
from operations.schema.profile import Profile
from operations.schema.prove import Proof, prove
from operations.schema.target import Target, candidates, target_of
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
    target: Target | None = None
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
    chosen = target_of(target, found, profile)
    found = [*(one for one in found if one.field is not chosen.decision.field), chosen.decision]
    for attempt in range(2):
        names = _names(found, present)
        section = _section(found, names, chosen) | ({"id": present.id} if present else {})
        contract = checked(section)
        proof = prove(contract, documents())
        if attempt:
            break
        scores = suspicious(proof.rows(contract), contract, max_auc)
        dropped = _dropped(proof, contract, scores, max_auc)
        found = [_judged(one, names.get(one.path, ""), dropped, scores) for one in found]
        if not dropped:
            break
    return Proposal(profile, found, names, target=chosen, section=section, proof=proof)


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


def _section(found: list[Decision], names: dict[str, str], target: Target) -> dict[str, Any]:
    columns = {
        names[decision.path]: {"path": decision.path, **decision.column}
        for decision in found
        if decision.column is not None
    }
    of_target = {"column": names[target.decision.path], "positive": target.positive}
    return {"id": "_id", "target": of_target, "columns": columns}


def _judged(decision: Decision, name: str, dropped: dict[str, str], scores: dict[str, float]) -> Decision:
    """Return the decision after the proof: left out if it is dropped, with a warning if it nearly is."""
    if name in dropped:
        return Decision(decision.field, None, dropped[name])
    if name not in scores:
        return decision
    warning = f"warning: alone ranks the target with ROC AUC {scores[name]:.4f}; is it a consequence?"
    return replace(decision, why=f"{decision.why}; {warning}" if decision.why else warning)


def _dropped(proof: Proof, contract: Contract, scores: dict[str, float], max_auc: float) -> dict[str, str]:
    """Return the columns that leak the target or reject too much, with the reasons."""
    dropped: dict[str, str] = {}
    for name, score in scores.items():
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

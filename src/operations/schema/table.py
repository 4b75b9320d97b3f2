"""The proposal as text: a table of all fields, the candidates for the target, and the accepted share."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from operations.schema.decide import Decision
from operations.schema.profile import Field, type_text
from operations.schema.propose import Proposal
from operations.schema.reading import Documents

WIDEST = 44
# The names of fields may be data: a table of all fields would be thousands of lines.
MOST_LINES = 200


def lines_of(proposal: Proposal, documents: Documents) -> Iterator[str]:
    """Yield the lines that describe a proposal."""
    yield read_text(proposal.profile.documents, documents)
    rows = [("field", "present", "null", "types", "examples", "decision")]
    shown = proposal.decisions
    if more := max(0, len(shown) - MOST_LINES):
        shown = sorted(shown, key=lambda one: _importance(one, proposal))[:MOST_LINES]
    for one in shown:
        shares = [count / proposal.profile.documents for count in (one.field.types.total(), one.field.nulls)]
        present, null = (f"{share:.1%}" for share in shares)
        rows.append((one.path, present, null, types(one.field), examples(one), outcome(one, proposal)))
    yield from aligned(rows)
    if more:
        yield f"and {more:,} more fields: do names of fields contain data?"
    if proposal.profile.not_kept:
        yield f"and {proposal.profile.not_kept:,} values of further fields, which are not kept"
    if proposal.section is None:
        if proposal.candidates:
            yield "no target: name a field and the value to predict; candidates, with their rarer value:"
            yield from (f"  --target {candidate}" for candidate in proposal.candidates[:10])
        else:
            yield "no target: no field has two values; name one with --target PATH=VALUE"
    elif proposal.proof:
        if proposal.target and proposal.target.warning:
            yield proposal.target.warning
        proof = proposal.proof
        accepted = proof.read - proof.rejected
        yield (
            f"the schema accepts {accepted:,} of {proof.read:,} documents ({accepted / proof.read:.2%})"
            f"{f'; rejected: {proof.reasons.worst_columns()}' if proof.rejected else ''}"
        )


def _importance(decision: Decision, proposal: Proposal) -> tuple[bool, bool]:
    """Return the key that sorts the target first, then the columns."""
    is_target = proposal.target is not None and decision is proposal.target.decision
    return not is_target, decision.column is None


def read_text(count: int, documents: Documents) -> str:
    """Return the line on the documents that were read."""
    of = "" if documents.total is None else f" of {documents.total:,}"
    if documents.complete:
        return f"{documents.name}: all {count:,} documents read"
    return f"{documents.name}: {count:,}{of} documents read, at random"


def types(field: Field) -> str:
    """Return the types of a field's values, the most frequent first."""
    shares = [type_text(kind) for kind, _ in field.types.most_common(3)]
    return ", ".join(dict.fromkeys(shares))


def examples(decision: Decision) -> str:
    """Return examples of a field's values; examples of personal data are hidden."""
    if decision.personal:
        return "(hidden)"
    # First one example of each type.
    places = zip_longest(*decision.field.examples.values())
    found = [text for place in places for text in place if text is not None][:3]
    while len(found) > 1 and len(", ".join(found)) > WIDEST:
        found.pop()
    return ", ".join(found)


def outcome(decision: Decision, proposal: Proposal) -> str:
    """Return the decision on a field as text."""
    column = decision.column
    if column is None:
        return decision.why if decision.why == "the id" else f"left out: {decision.why}"
    name = proposal.names[decision.path]
    text = column["type"]
    if "minimum" in column or "maximum" in column:
        text += f" {column.get('minimum', '')}..{column.get('maximum', '')}"
    if "values" in column:
        text += f" of {len(column['values'])} values"
    text += ", nullable" if column.get("nullable") else ""
    return f"{name}: {text}{f' ({decision.why})' if decision.why else ''}"


def aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the rows with aligned columns; the last column is not padded."""
    *widths, _ = (min(WIDEST, max(len(row[place]) for row in rows)) for place in range(len(rows[0])))
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()

"""Decides for each field which column it becomes, or why it is left out."""

import re
from dataclasses import dataclass
from typing import Any

from operations.schema.names import is_addressable, snake
from operations.schema.profile import FAMILIES, MOST_VALUES, VALUES, Field, Profile, type_text
from operations.schema.ranges import range_of
from operations.schema.texts import BOOLEAN_TEXTS, PERSONAL, personal_by_name

from bson import Int64

# The share of values of another type that a column may have; their documents are rejected.
TOLERATED = 0.005
# A field is left out if a smaller share of the documents has a value.
LEAST_PRESENT = 0.01
# A category with at most this many values lists them. A text with more than MOST_CATEGORIES is left out.
MOST_LISTED, MOST_CATEGORIES = 50, 200
# The share of texts of a form (number, date; sentence; personal data) above which the field has that form.
MOSTLY, MOSTLY_FREE, PERSONAL_SHARE = 0.9, 0.2, 0.05
IDENTIFIER = re.compile(r"(^|_)(id|uuid|guid|key|no|nr|number|ref|code|hash|token)$")

Column = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """The decision on a field: a column (its declaration without the path) or None, and the reason."""

    field: Field
    column: Column | None
    why: str
    personal: bool = False

    @property
    def path(self) -> str:
        """The dotted path."""
        return ".".join(self.field.path)


def decisions(profile: Profile, complete: bool) -> list[Decision]:
    """Return a decision for each field that is not a document, in the order of the profile.

    `complete`: the profile is of all documents, so that no rare category is missing.
    """
    of_id = profile.fields.get(("_id",))
    the_id = [Decision(of_id, None, "the id")] if of_id else []
    return [*the_id, *(decide(field, profile, complete) for field in profile.leaves)]


def decide(field: Field, profile: Profile, complete: bool) -> Decision:
    """Return the decision for one field: a column with its type, range and values, or the reason for none."""
    name = snake(field.path[-1])
    # Before all others, since their reasons quote examples.
    if personal := _personal(field, name):
        return Decision(field, None, f"personal data: looks like {personal}", personal=True)
    if reason := unusable(field, profile):
        return Decision(field, None, reason)
    column = _column(field, name, complete)
    if isinstance(column, str):
        return Decision(field, None, column)
    keys, note = column
    nullable = field.present < profile.documents
    if field.distinct == 1 and not nullable:
        return Decision(field, None, "constant: all documents have the same value")
    keys |= {"nullable": True} if nullable else {}
    return Decision(field, keys, note)


def main_family(field: Field) -> str:
    """Return the family of most of a field's values; empty if it has none."""
    families = field.families
    return max(families, key=lambda family: families[family]) if families else ""


def unusable(field: Field, profile: Profile) -> str | None:
    """Return why no type of column fits the field, or None."""
    if not is_addressable(field.path):
        return "a dotted path cannot name it, since a name has a dot, is empty or starts with $: rename it"
    for above in profile.ancestors(field):
        others = above.present - above.types[dict]
        if others > TOLERATED * profile.documents:
            share = f"{others:,} of {profile.documents:,}"
            return f"inside {'.'.join(above.path)}, which is not a document in {share}"
    if not field.present:
        return "always null"
    if field.present < LEAST_PRESENT * profile.documents:
        return f"rare: in only {field.present:,} of {profile.documents:,} documents"
    return _no_one_type(field)


def _no_one_type(field: Field) -> str | None:
    families, main = field.families, main_family(field)
    if field.present - families[main] > TOLERATED * field.present:
        return f"mixed types: {counts_text(field)}"
    unusable = {
        "array": "an array: a path names one value; store its length or an element as a field",
        "document": "a document in almost all documents: its fields have their own lines",
    }
    return None if main in VALUES else unusable.get(main, f"no model uses the type {main}")


def counts_text(field: Field) -> str:
    """Return how many values of each family the field has, with an example of each."""
    return ", ".join(
        f"{family} {'once' if count == 1 else f'{count:,} times'}{_example(field, family)}"
        for family, count in field.families.most_common(4)
    )


def _example(field: Field, family: str) -> str:
    kinds = [type_text(kind) for kind in field.types if FAMILIES.get(kind, type_text(kind)) == family]
    examples = [text for kind in kinds for text in field.examples.get(kind, [])]
    return f" ({examples[0]})" if examples else ""


def _personal(field: Field, name: str) -> str | None:
    family = main_family(field)
    # Also if most values are not texts.
    for what in PERSONAL:
        if field.forms[what] > PERSONAL_SHARE * field.present:
            return what
    identifying = field.distinct > MOST_LISTED or field.unique_share > 0.5
    if family == "text" and identifying:
        return personal_by_name(name)
    telephone = family == "number" and identifying and (field.smallest or 0) >= 1e6
    return "a phone number" if telephone and personal_by_name(name) == "a phone number" else None


def _column(field: Field, name: str, complete: bool) -> tuple[Column, str] | str:
    """Return the keys of a column and a note, or the reason for no column."""
    family = main_family(field)
    if family == "boolean":
        return {"type": "boolean"}, ""
    if family == "date":
        return {"type": "datetime"}, "gives its year, month and day of the week"
    return _number(field, name) if family == "number" else _text(field, complete)


def _number(field: Field, name: str) -> tuple[Column, str] | str:
    whole = not field.not_integer and bool(field.types.keys() & {int, Int64})
    bad = 0 if whole else field.not_number.total()
    if bad > TOLERATED * field.present:
        problem = next(iter(field.not_number))
        return f"{bad:,} of {field.present:,} values are not numbers: one {problem}"
    if whole and IDENTIFIER.search(name) and field.unique_share > MOSTLY and field.distinct > 1:
        return "near-unique integers: an identifier"
    if len(field.values) == 2 and {value for _, value in field.values} <= {0, 1}:
        # Also for 0.0 and 1.0.
        return {"type": "integer", "minimum": 0, "maximum": 1}, "a boolean stored as 0 and 1"
    return {"type": "integer" if whole else "number"} | range_of(field), ""


def _text(field: Field, complete: bool) -> tuple[Column, str] | str:
    texts = sorted(value for family, value in field.values if family == "text")
    if reason := _no_category(field, texts):
        return reason
    certain = complete or min(field.values.values()) > 1
    if len(texts) <= MOST_LISTED and certain:
        note = "a boolean stored as text" if {text.lower() for text in texts} in BOOLEAN_TEXTS else ""
        return {"type": "category", "values": texts}, note
    if "" in texts:
        return "a category with empty texts and rare values"
    note = f"{len(texts)} values, not listed{'' if certain else ', since some are rare'}"
    return {"type": "category"}, note


def _no_category(field: Field, texts: list[str]) -> str | None:
    """Return why texts are not a category, or None."""
    for form in ("number", "date"):
        if field.forms[form] > MOSTLY * field.present and len(texts) > 2:
            return f"{form}s stored as text: store {form}s"
    unique = len(texts) > 3 and field.unique_share > 0.5
    if (unique or len(texts) > MOST_LISTED) and field.forms["sentence"] > MOSTLY_FREE * field.present:
        return "free text"
    if unique:
        return "near-unique texts: an identifier"
    if len(texts) > MOST_CATEGORIES:
        more = "more than " if field.distinct >= MOST_VALUES else ""
        return f"{more}{len(texts)} different texts: too many for a category"
    return "long texts" if any(len(text) > 100 for text in texts) else None

"""Names of columns, made from the paths of fields."""

import re
import unicodedata
from collections.abc import Collection

from pipeline.config.contract import CALENDAR, check_name

Path = tuple[str, ...]

# Names that mean little without the name of the field around them.
GENERIC = re.compile(
    "average|avg|code|count|date|end|id|kind|label|max|maximum|mean|median|min|minimum|name|number|start|state|"
    "status|std|sum|time|total|type|unit|value"
)


def snake(text: str) -> str:
    """Return a field's name as lowercase ASCII words joined by underscores; empty if it has none."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", ascii_text)
    return re.sub(r"\W+|_+", "_", words).strip("_").lower()


def column_name(path: Path, taken: Collection[str]) -> str:
    """Return a valid name for the column at `path`: the shortest end of the path that is free.

    It does not begin with a generic name, such as `mean`, unless the whole path does.

    `taken` are the names of other columns. A name is not free either if it equals a calendar feature of
    another column, or if one of its own calendar features equals another name.
    """
    parts = [part for part in map(snake, path) if part] or ["column"]
    depths = range(1, len(parts) + 1)
    least = next((depth for depth in depths if not GENERIC.fullmatch(parts[-depth])), len(parts))
    short = ["_".join(parts[-depth:]) for depth in depths[least - 1 :]]
    numbered = [f"{short[-1]}_{number}" for number in range(2, len(taken) + 4)]
    return next(
        name
        for name in map(_valid, (*short, *numbered))
        if not any(_clash(name, other) or _clash(other, name) for other in taken)
    )


def is_addressable(path: Path) -> bool:
    """Return whether a dotted path can name the field."""
    return all(part and "." not in part and "\0" not in part and not part.startswith("$") for part in path)


def _valid(name: str) -> str:
    name = name if name[0].isalpha() else f"column_{name}"
    try:
        check_name(name)
    except ValueError:
        return f"{name}_"
    return name


def _clash(name: str, other: str) -> bool:
    return name == other or name in {f"{other}_{part}" for part in CALENDAR}

"""Recognizes the form of a text: a number, a date, a sentence, or personal data."""

import re
from collections.abc import Iterator

# Personal data, by the last name of the path and by the form of the text.
PERSONAL: dict[str, tuple[str, str | None]] = {
    "an e-mail address": (r"e_?mail", r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    "a phone number": (r"phone|mobile|fax|^tel$", r"(?:\+|00?|\()[\d\s()/.-]{6,20}"),
    "an IBAN": (r"iban", r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}"),
    "a person's name": (r"^((first|last|full|middle|given|family|sur|maiden|customer|user)_?)?names?$", None),
    "a postal address": (r"^(street|address|addr|postal|zip)(_.*)?$", None),
    "an identity number": (r"^(ssn|passport|tax_(id|number)|social_security)(_.*)?$", None),
}
_FORMS = {
    **{name: re.compile(form) for name, (_, form) in PERSONAL.items() if form},
    "number": re.compile(r"\s*[-+]?\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?\s*"),
    "date": re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?|\d\d?[./]\d\d?[./]\d{2,4}"),
    "sentence": re.compile(r"(?:\S+\s+){4,}\S.*", re.DOTALL),
}
# The texts of a boolean, in lowercase.
BOOLEAN_TEXTS = [{"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"0", "1"}, {"on", "off"}]


def forms(text: str) -> Iterator[str]:
    """Yield each form of a text; only the beginning of a long text is tested."""
    for name, form in _FORMS.items():
        if form.fullmatch(text[:200]):
            yield name


def personal_by_name(name: str) -> str | None:
    """Return what personal data a field of this name (in snake case) holds, or None."""
    return next((what for what, (pattern, _) in PERSONAL.items() if re.search(pattern, name)), None)

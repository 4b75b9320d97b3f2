"""Proposes the range of a field of numbers."""

import math

from operations.schema.profile import Field

# Doubles are exact up to here.
_LARGEST_BOUND = 2**53


def range_of(field: Field) -> dict[str, float]:
    """Return `minimum` and `maximum` for a field of numbers: all its values are within, with headroom.

    A bound is 0 if no value is beyond 0. Else it is twice the extreme, rounded up to 1, 2, 5, 10, ...: new
    customers are within it, a price in cents is not.
    """
    if field.smallest is None or field.largest is None:
        return {}
    low = 0 if field.smallest >= 0 else -_round_up(-2 * field.smallest)
    high = 0 if field.largest <= 0 else _round_up(2 * field.largest)
    if high and {value for _, value in field.values} <= {0, 1}:
        high = 1
    bounds = {"minimum": low, "maximum": high}
    return {name: bound for name, bound in bounds.items() if abs(bound) <= _LARGEST_BOUND}


def _round_up(value: float) -> float:
    if value > _LARGEST_BOUND:
        return math.inf
    exponent = math.floor(math.log10(value))
    steps = (1, 2, 5, 10, 20)
    bounds = [step * 10**exponent if exponent >= 0 else float(f"{step}e{exponent}") for step in steps]
    return next(bound for bound in bounds if bound >= value)

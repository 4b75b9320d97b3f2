"""A document's id as text, as a sort key, and as hashes that decide its part and its split."""

import hashlib
import math
import re
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bson import Binary, DatetimeConversion, DatetimeMS, Decimal128, ObjectId, json_util
from bson.errors import BSONError

# A string that looks like the text of another type is quoted, so that no two ids share a text.
_AMBIGUOUS = re.compile(
    r'-?\d+(\.\d+)?([eE][-+]?\d+)?|[0-9a-f]{24}|[{["].*|true|false|null|NaN|-?Infinity', re.S
)
# The same for Arrow, whose \d is ASCII alone; it also matches a few strings that are not ambiguous.
_MAYBE_AMBIGUOUS = "^(?s:" + _AMBIGUOUS.pattern.replace(r"\d", r"[0-9\x{80}-\x{10FFFF}]") + ")$"
_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], "S2")
_OPTIONS = json_util.RELAXED_JSON_OPTIONS
# Dates outside Python's range stay milliseconds.
_READ = _OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


def id_text(value: Any) -> str:
    """Return a BSON id as text: two ids have the same text only if they are equal in MongoDB.

    Strings are unchanged, whole numbers of 64 bits are decimal, an ObjectId is its 24 hex digits, and
    everything else is relaxed extended JSON. A string that looks like one of those is quoted as in JSON.
    """
    if type(value) is str:  # bson's Code is a str too
        return json_util.dumps(value) if _AMBIGUOUS.fullmatch(value) else value
    if isinstance(value, ObjectId):
        return str(value)
    value = _binary_number(value)
    # A larger double keeps its exponent: the 24 digits of 2.0**79 would be the text of an ObjectId.
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**63:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    return json_util.dumps(value, json_options=_OPTIONS)


def id_value(text: str) -> Any:
    """Return an id with this text, which is equal in MongoDB to the original id.

    The type of a number may differ: 5, 5.0 and the decimal 5 share a text, and become an integer.
    """
    if not _AMBIGUOUS.fullmatch(text):
        return text
    if re.fullmatch("[0-9a-f]{24}", text):
        return ObjectId(text)
    try:
        return json_util.loads(text, json_options=_READ)
    except (ValueError, TypeError, BSONError):
        return text


def sort_key(value: Any) -> str:
    """Return lowercase text that is unique, and sorts as MongoDB sorts ids of the common types.

    Null, numbers, strings, binary data, ObjectIds, booleans and dates sort exactly, in the order of
    MongoDB's comparison of types. Ids of other types, and decimals that are not exact doubles, sort by their
    text within their type. A text longer than 160 characters is cut and ends with a hash: it stays unique,
    but sorts only by its beginning.
    """
    value = _binary_number(value)
    if value is None:
        place, text = "1", ""
    elif isinstance(value, bool):
        place, text = "8", str(int(value))
    elif isinstance(value, (int, float)):
        place, text = "2", _number_key(value)
    elif isinstance(value, Decimal128):
        place, text = "2", _number_key(value.to_decimal()) + str(value).lower().encode().hex()
    elif type(value) is str:
        place, text = "3", value.encode().hex()
    elif isinstance(value, ObjectId):
        place, text = "7", str(value)
    elif isinstance(value, DatetimeMS) or hasattr(value, "timetuple"):
        milliseconds = int(value) if isinstance(value, DatetimeMS) else int(DatetimeMS(value))
        place, text = "9", f"{milliseconds + 2**63:016x}"
    elif isinstance(value, bytes):
        # MongoDB compares the length first, then the subtype, then the bytes.
        subtype = value.subtype if isinstance(value, Binary) else 0
        place, text = "6", f"{len(value):08x}{subtype:02x}{value.hex()}"
    else:
        place, text = "4", id_text(value).encode().hex()
    if len(text) > 160:
        text = text[:160] + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return place + text


def _binary_number(value: Any) -> Any:
    """Return the integer or double that equals a decimal, if there is one; other values unchanged."""
    if not isinstance(value, Decimal128):
        return value
    number = value.to_decimal()
    if number.is_nan():
        return math.nan
    if number.is_infinite():
        return float(number)
    if abs(number) < 2**63 and number == number.to_integral_value():
        return int(number)
    return float(number) if Decimal(float(number)) == number else value


def _number_key(value: float | Decimal) -> str:
    # First the integer part, rounded down; numbers outside the 64-bit integers get one step beyond their
    # range. Unless that is exact, the bits of the double follow, changed so that they sort as doubles do.
    if math.isnan(value):
        return "0" * 17
    whole = -(2**63) - 1 if value < -(2**63) else 2**63 if value >= 2**63 else math.floor(value)
    key = f"{whole + 2**63 + 1:017x}"
    if whole == value:
        return key
    bits = int.from_bytes(struct.pack(">d", value))
    return key + f"{bits ^ (2**64 - 1 if bits >> 63 else 2**63):016x}"


def string_texts(ids: pa.Array) -> pa.Array:
    """Return `id_text` of ids that are strings or null."""
    ambiguous = pc.match_substring_regex(ids, _MAYBE_AMBIGUOUS).fill_null(False)
    if not pc.any(ambiguous).as_py():
        return ids
    texts = [id_text(each) for each in ids.filter(ambiguous).to_pylist()]
    return pc.replace_with_mask(ids, ambiguous, pa.array(texts, pa.string()))


def integer_texts(ids: np.ndarray) -> pa.Array:
    """Return `id_text` of ids that are integers."""
    return pa.array(ids.astype(np.int64)).cast(pa.string())


def object_id_texts(ids: np.ndarray) -> pa.Array:
    """Return `id_text` of ids that are ObjectIds: rows of 12 bytes."""
    digits = _HEX[ids]
    offsets = np.arange(0, digits.nbytes + 1, 24, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(ids), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def split_shares(texts: pa.ChunkedArray) -> np.ndarray:
    """Return a hash of each id in [0, 1): a customer is in the test split if it is below `test_size`.

    It depends only on the id, so a customer never changes between splits.
    """
    return hashes(texts, b"stable-holdout", 7) / 2**56


def hashes(texts: pa.Array | pa.ChunkedArray, purpose: bytes, size: int = 8) -> np.ndarray:
    """Return the BLAKE2b hash of each id, of `size` bytes (uint64). Each purpose has its own hash."""
    of_purpose = hashlib.blake2b(digest_size=size, person=purpose)
    digests = []
    for text in texts.cast(pa.binary()).to_numpy(zero_copy_only=False):
        of_text = of_purpose.copy()
        of_text.update(text)
        digests.append(of_text.digest())
    padded = np.zeros((len(digests), 8), dtype=np.uint8)
    padded[:, 8 - size :] = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, size)
    return padded.view(">u8").ravel().astype(np.uint64)

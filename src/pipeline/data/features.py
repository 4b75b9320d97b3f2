"""The rows for training, and the parameters of their split."""

from pipeline.config.contract import Contract
from pipeline.config.parameters import Section

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field


class TransformationParameters(Section):
    """The section `transformation` of params.yaml."""

    test_size: float = Field(default=0.2, gt=0, lt=1)


def features(table: pa.Table, contract: Contract) -> pa.Table:
    """Return the rows for training: the id, the target (int8, 1 is positive), then the columns.

    Nullable integers become doubles, since scikit-learn does not accept the nullable integers of pandas. An
    integer beyond 2**53 becomes the nearest double, as in any model.
    """
    target = contract.target
    positive = pc.equal(table[target.column], pa.scalar(target.positive, table[target.column].type))
    columns = {contract.id: table[contract.id], target.column: positive.cast(pa.int8())}
    for name, column in contract.columns.items():
        if name != target.column:
            nullable_integer = column.type == "integer" and column.nullable
            columns[name] = table[name].cast(pa.float64(), safe=False) if nullable_integer else table[name]
    return pa.table(columns)

"""LightGBM: an extra, which is not installed by default, so its import waits until a model needs it."""

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

LIGHTGBM = "lightgbm"
# LightGBM itself reports an impossible value only during a fit, with the path of a C++ file.
CONSTRAINTS: dict[str, list[Any]] = {
    "boosting_type": [StrOptions({"gbdt", "dart"})],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_bin": [Interval(Integral, 2, 255, closed="both")],
    "max_depth": [Interval(Integral, -1, None, closed="left")],
    "min_child_samples": [Interval(Integral, 1, None, closed="left")],
    "min_child_weight": [Interval(Real, 0, None, closed="left")],
    "min_split_gain": [Interval(Real, 0, None, closed="left")],
    "n_estimators": [Interval(Integral, 1, None, closed="left")],
    "num_leaves": [Interval(Integral, 2, 131_072, closed="both")],
    "reg_alpha": [Interval(Real, 0, None, closed="left")],
    "reg_lambda": [Interval(Real, 0, None, closed="left")],
    "subsample": [Interval(Real, 0, 1, closed="right")],
    "subsample_freq": [Interval(Integral, 0, None, closed="left")],
}


def lightgbm(**parameters: Any) -> Any:
    """Return LightGBM's classifier. It uses all threads, and fits the same model on any number of them."""
    from lightgbm import LGBMClassifier

    # By columns, one thread adds up each histogram; by rows, the order of the sums depends on the threads.
    # `n_jobs` is stored in the model: 0 is the default number of OpenMP.
    fixed = {"deterministic": True, "force_col_wise": True, "n_jobs": 0}
    return LGBMClassifier(**fixed, importance_type="gain", verbosity=-1, **parameters)

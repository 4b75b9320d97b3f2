"""The algorithms whose packages are installed: LightGBM is an extra."""

from importlib.util import find_spec

from pipeline.modelling.models import ALGORITHMS

INSTALLED = [name for name in ALGORITHMS if name != "lightgbm" or find_spec("lightgbm")]

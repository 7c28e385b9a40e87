"""The parameters of the notebooks that only read results."""

from drnas_lib.config import Place
from drnas_lib.parameters import Parameters


class TablesConfig(Parameters):
    """The parameters of notebooks/darts_space.ipynb and robust_spaces.ipynb."""

    results: Place = "results/retrain"


class ReportConfig(Parameters):
    """The parameters of notebooks/report.ipynb."""

    results: Place = "results"

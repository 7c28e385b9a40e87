"""DrNAS: Dirichlet Neural Architecture Search (ICLR 2021), re-implemented to be repeated. Import the modules; nothing is re-exported."""

import os

__version__ = "0.1.0"

# A thread that waits for another one sleeps and does not spin, so that a busy machine slows a run and does not stop it. OpenMP reads this
# when torch is loaded, so drnas_lib comes before it. Whoever sets OMP_WAIT_POLICY decides.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "0")  # GNU's runtime, in the wheels for Linux
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # LLVM's and Intel's

"""How the processes of one run average gradients and batch norm statistics; data/batches.py divides the batches."""

"""How the processes of one run share batches, gradients and batch norm statistics."""

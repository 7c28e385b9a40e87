"""What the Snakefile needs besides papermill. No torch."""

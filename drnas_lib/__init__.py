"""DrNAS: Dirichlet Neural Architecture Search (ICLR 2021), re-implemented to be repeated. Import the modules; nothing is re-exported."""

__version__ = "0.1.0"

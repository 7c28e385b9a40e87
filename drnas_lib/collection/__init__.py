"""The experiment collection around the library: the paper's numbers, the studies, and how notebooks show them."""

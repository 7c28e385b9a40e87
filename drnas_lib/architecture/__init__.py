"""The architecture variables of a search and the distribution that they parameterise."""

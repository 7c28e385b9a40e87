"""The training of one cell by itself, from a recipe to a record."""

"""The search methods by name. A new method is a new file here and a row in the table."""

from drnas_lib.methods.drnas import DrNAS

METHODS = {"drnas": DrNAS}

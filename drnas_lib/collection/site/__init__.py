"""The executed notebooks and the API of the library as a small static site that opens from the file system."""

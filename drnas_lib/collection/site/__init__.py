"""The executed notebooks as a small static site that opens from the file system."""

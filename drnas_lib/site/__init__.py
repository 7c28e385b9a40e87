"""The executed notebooks as a small static site that opens from the file system: an index, a page each, no scripts from elsewhere."""

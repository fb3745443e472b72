"""One importer per source format, each onto the same graph."""

"""An INTEGER graph to the bytes of an .ekc file and back; docs/format.md is the specification."""

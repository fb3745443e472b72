"""A FLOAT graph, a recipe's steps and samples to a QUANTIZED graph with packed layers, and the table of its bytes."""

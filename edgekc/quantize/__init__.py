"""A FLOAT graph and samples to a QUANTIZED graph: calibration, equalisation, rounding, bias correction."""

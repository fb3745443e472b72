"""A .tflite file to a QUANTIZED or FLOAT graph."""

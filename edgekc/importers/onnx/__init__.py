"""An .onnx file to a FLOAT graph, or a QUANTIZED one from its QDQ form."""

"""INTEGER graphs to files of other tools: ONNX with QuantizeLinear and DequantizeLinear."""

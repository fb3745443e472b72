"""A torch.export program, or an nn.Module, to a FLOAT graph."""

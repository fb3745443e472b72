"""MLPerf Tiny: the benchmark's firmware over a network, a client that speaks the runner's protocol, a submission's folder."""

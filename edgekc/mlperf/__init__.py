"""MLPerf Tiny: its firmware over a network, a client that speaks its runner's protocol, a submission's folder."""

"""Networks of MLPerf Tiny to its firmware, to what a client of its protocol measures, and to a submission."""

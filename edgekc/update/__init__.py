"""Signed updates of what a device runs: keys, headers, changes to an older payload. runtime_c/update/ takes them."""

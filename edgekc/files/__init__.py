"""The user's files: read under limits, written whole, and nothing of anybody else's overwritten."""

"""Files of the user to checked values and back: read under limits, written whole, nobody else's overwritten."""

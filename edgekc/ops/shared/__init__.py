"""What lowerings and definitions of several operators share."""

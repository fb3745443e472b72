"""edgekc: trained CNNs to small, bit-exact C99 for small Arm devices."""

__version__ = "0.1.0"

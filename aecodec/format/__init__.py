"""The bytes of a .aec file. No numpy, no torch."""

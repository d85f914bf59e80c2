"""The networks, the integer scale path, the quality axis, weights files. Knows nothing of files to compress."""

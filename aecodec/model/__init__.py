"""A model without torch: its file, the quality axis, the four steps, the integer networks, and who computes the float ones."""

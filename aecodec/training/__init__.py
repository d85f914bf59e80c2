"""Training a model and exporting it; needs torch."""

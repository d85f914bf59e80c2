"""The textbook autoencoders, trained on small images; all but `presets` needs torch."""

"""Pictures: files and Pillow images to planes and back, metadata, missing pixels. Knows nothing of coding."""

"""What an encoder may think about: the quality that hits a target. Decoders know nothing of it."""

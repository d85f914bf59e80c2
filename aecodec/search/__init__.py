"""What an encoder may think about: better latents of a tile (refine), the quality that hits a target (target).

Decoders know nothing of it.
"""

"""The float networks in PyTorch, for training, search and other sizes.

g_a, g_s, h_a, h_s, the contexts, and the float twins of model/'s integer networks.
"""

"""Symbols to bytes and back: integer tables and the coder."""

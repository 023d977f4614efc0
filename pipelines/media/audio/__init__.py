"""Mixing, loudness and AAC."""

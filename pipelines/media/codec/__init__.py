"""Decoding and encoding of video."""

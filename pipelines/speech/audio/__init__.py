"""Samples of speech."""

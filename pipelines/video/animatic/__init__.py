"""Clips from one image with a moving camera."""

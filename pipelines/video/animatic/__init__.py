"""Clips made from one picture by a moving camera."""

"""Blends of two frames, and the segment of a transition."""

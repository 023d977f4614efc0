"""Families that make pictures: portraits, elements, keyframes, enhancement."""

"""Blend functions and their frames."""

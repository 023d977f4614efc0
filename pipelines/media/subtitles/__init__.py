"""Cues, line breaking, fonts and subtitle formats."""

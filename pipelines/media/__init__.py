"""Families that need no model: timing, subtitles, sound mix, composition."""

"""Subtitles: cues, line breaking, fonts, the formats SRT and ASS, and burning in."""

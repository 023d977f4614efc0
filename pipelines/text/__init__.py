"""Families that write words: storyboards from ideas, pages and pictures."""

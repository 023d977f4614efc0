"""Families that write text: storyboards from ideas, pages and images."""

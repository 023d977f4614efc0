"""Text moderation by rules."""

"""Story → plan: which steps make what from what."""

"""Words → what to draw."""

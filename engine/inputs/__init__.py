"""Everything that comes from outside."""

"""What makes things: one file per family of open models, and the few helpers they share."""

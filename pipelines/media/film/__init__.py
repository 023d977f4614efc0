"""Schedule, segments and composition of the film."""

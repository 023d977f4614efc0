"""Code shared by the diffusion families."""

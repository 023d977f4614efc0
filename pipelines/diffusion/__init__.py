"""What the diffusion families share."""

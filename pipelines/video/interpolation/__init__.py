"""Frame interpolation by optical flow."""

"""Where steps run: one seam, several ways."""

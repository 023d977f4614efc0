"""HTTP middleware, errors, keys, limits, signed URLs."""

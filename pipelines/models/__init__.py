"""models.yaml, weights, downloads, environments and the model pool."""

"""HTTP server of the two hosted story APIs, over the same service as the command line."""

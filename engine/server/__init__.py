"""The two hosted story APIs on one port, over the same service as the command line."""

"""What families on torch share: how a pipeline is loaded, what it gives up for memory, words that were encoded before."""

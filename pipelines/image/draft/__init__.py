"""The draft profile's drawing hand: words become attributes, attributes become vector pictures. No model, no network."""

"""One pure module per hosted API: request ⇄ Story ⇄ response."""

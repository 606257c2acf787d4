"""The part that talks: it knows data, never alignment, and never imports torch."""

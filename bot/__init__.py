"""The part that talks. It may import `data`, but never `alignment` or torch."""

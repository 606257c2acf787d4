"""The shelf of base models: how one is added, listed, checked and removed (`python -m alignment.bases`)."""

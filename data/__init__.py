"""The ground floor of Parley: what is stored, and what may be done with it."""

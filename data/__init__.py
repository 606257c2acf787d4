"""The ground floor of Parley: what is remembered, and what may be done with it."""

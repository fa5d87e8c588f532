"""Mutation testing: whether a change of what the programs say makes them fail."""

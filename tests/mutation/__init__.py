"""Mutation testing: whether a change of what the programs say makes them fail, and one of torchproof its tests."""

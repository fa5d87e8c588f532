"""Torchproof: catalog -> program -> run -> record -> render. What you copy is what ran."""

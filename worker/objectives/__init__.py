"""Scores × ranking losses: pure functions of tensors, each beside its derivation. Imports nothing but torch."""

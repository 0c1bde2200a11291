"""Accounts, signing in, tokens."""

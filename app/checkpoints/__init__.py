"""The room of published models: what a run left behind, and how to take it home."""

"""The room that serves checkpoints and datasets to programs, in the words of the Hugging Face Hub's own read protocol."""

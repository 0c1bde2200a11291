"""What is judged: prompts, their responses, and the items that put responses to a prompt side by side."""

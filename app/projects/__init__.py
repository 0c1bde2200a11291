"""What is judged how: kind, guidelines, judgments wanted, members."""

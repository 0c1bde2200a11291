"""What is judged, and how: kind, guidelines, judgments wanted, members."""

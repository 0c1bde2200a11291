"""The room of what leaves this place: versions on their way to a hub or a bucket of somebody's own."""

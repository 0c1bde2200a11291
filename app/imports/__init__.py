"""Records from outside: read, recognised, stored; good ones go in, bad ones are named."""

"""Sample projects of our own words: one for people to judge, one that code can check. See README.md beside this file."""

"""Annotators as they appear outside: the same from file to file of a project, and nobody by name or number.

A pseudonym is a keyed hash (HMAC-SHA-256) of the person's number. Its key is a random number of the project's that never
leaves the database, so nobody can try out all people, and nobody can follow one from project to project.
"""

import base64
import hmac
from functools import lru_cache

from app.models import Project

LENGTH = 10


def pseudonym(project: Project, person_id: int) -> str:
    return _pseudonym(project.pseudonym_key, person_id)


@lru_cache(10_000)
def _pseudonym(key: bytes, person_id: int) -> str:
    digest = hmac.digest(key, str(person_id).encode(), "sha256")
    return "a-" + base64.b32encode(digest).decode().lower()[:LENGTH]

"""How long a delivery waits for its next attempt. Pure.

Four times as long after each attempt, from 5 s up to 6 h: 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 5 h 41 min, then every 6 h; after
the twelfth attempt, about 32 hours after the first, it is given up. A receiver that restarts is told within seconds, one that
is down over a night still in the morning. Each wait is up to a fifth shorter or longer than that, so that what failed together is
not tried together. A receiver that says how long to wait (`Retry-After`, RFC 9110) is not asked sooner, up to the longest wait.
"""

MOST_TRIES = 12
FIRST_S = 5.0
FACTOR = 4.0
LONGEST_S = 6 * 3600.0
JITTER = 0.2


def wait_s(tries: int, chance: float, retry_after_s: float = 0) -> float | None:
    """Seconds after the failed try number `tries`, counted from 1; None when it was the last. `chance` is drawn from [0, 1)."""
    if tries >= MOST_TRIES:
        return None
    usual = min(FIRST_S * FACTOR ** (tries - 1), LONGEST_S)
    return max(usual * (1 + JITTER * (2 * chance - 1)), min(retry_after_s, LONGEST_S))

"""Prompts that are nearly the same, found by sketches: a model that trained on one has all but seen the other.

Two prompts are near when their sets of shingles, three words in a row, overlap by about four fifths or more (Jaccard).
Each prompt keeps a sketch of its set by one permutation hashing: the smallest hash in each of 63 bins, an empty bin
taking its neighbour's (Li, Owen & Zhang 2012; Shrivastava & Li 2014). Nine bands of seven bins are compared as wholes (Broder
1997; locality-sensitive hashing): prompts that overlap by s share one with probability 1 − (1 − s⁷)⁹, which is 0.07 at 0.5,
0.88 at 0.8 and 0.997 at 0.9. Chains count: what is near to something near is in the same cluster.

A prompt costs 72 bytes and its hash, so a million of them fit into the memory of a small machine.
"""

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterator

BANDS, ROWS = 9, 7
BINS = BANDS * ROWS
SHINGLE = 3
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힣]|\w+")  # each sign by itself where words have no spaces between them
_EMPTY = (1 << 64) - 1


class Near:
    """Prompts as they come; then which of them belong together."""

    def __init__(self) -> None:
        self._prompts: list[bytes] = []
        self._bands = [array("Q") for _ in range(BANDS)]

    def add(self, prompt_hash: bytes, text: str) -> None:
        self._prompts.append(prompt_hash)
        sketch = sketched(text)
        for band, keys in enumerate(self._bands):
            part = array("Q", sketch[band * ROWS : (band + 1) * ROWS]).tobytes()
            keys.append(_hashed(part))

    def clusters(self) -> Iterator[list[bytes]]:
        """The prompts that are near to others, together; those that are near to none are left out."""
        parent = array("Q", range(len(self._prompts)))

        def root(one: int) -> int:
            while parent[one] != one:
                parent[one] = parent[parent[one]]
                one = parent[one]
            return one

        for keys in self._bands:
            before = None
            for one in sorted(range(len(keys)), key=keys.__getitem__):
                if before is not None and keys[before] == keys[one]:
                    parent[root(one)] = root(before)
                before = one
        found: dict[int, list[bytes]] = {}
        for one, prompt_hash in enumerate(self._prompts):
            found.setdefault(root(one), []).append(prompt_hash)
        yield from (cluster for cluster in found.values() if len(cluster) > 1)


def sketched(text: str) -> list[int]:
    """The sketch of a text: `BINS` numbers, equal in about the share of bins by which two sets of shingles overlap."""
    bins = [_EMPTY] * BINS
    for shingle in shingles(text):
        value, place = divmod(_hashed(shingle.encode()), BINS)
        bins[place] = min(bins[place], value)
    filled = [place for place, value in enumerate(bins) if value != _EMPTY]
    if not filled:
        return bins
    for place in range(BINS):
        if bins[place] == _EMPTY:
            source = next((one for one in filled if one > place), filled[0])
            bins[place] = (bins[source] + source - place) & _EMPTY  # borrowed from another distance is another number
    return bins


def shingles(text: str) -> set[str]:
    """Three words in a row each; of a shorter text all of it. Case, punctuation and spacing do not count."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))} if words else set()


def _hashed(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")

"""The words that the checkable task asks about: a closed list, so that a very small model meets each of them often.

None of them may occur in a filler of `samples.task`, since a sloppy response is told from a wrong one by the answer in it.
"""

SHORT_WORDS = tuple(
    "bell bird boat book cake cat coin cow dog door duck fish frog goat hat lamp lion moon nest star sun tree".split()
)
LONG_WORDS = tuple(
    """
    apple bottle bridge button candle castle chicken dragon flower forest garden guitar hammer island kitchen lemon
    market mirror monkey orange pencil planet rabbit river rocket silver spider table tiger window
    """.split(),
)
WORDS = SHORT_WORDS + LONG_WORDS

OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in """
    hot/cold big/small up/down left/right day/night wet/dry fast/slow old/new high/low open/closed full/empty
    early/late hard/soft long/short heavy/light strong/weak rich/poor happy/sad loud/quiet clean/dirty
    near/far thick/thin cheap/expensive first/last inside/outside
    """.split()
)

PLURALS = {
    "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth", "mouse": "mice",
    "goose": "geese", "leaf": "leaves", "wolf": "wolves", "knife": "knives", "box": "boxes", "bus": "buses",
    "fox": "foxes", "glass": "glasses", "city": "cities", "baby": "babies", "story": "stories",
}  # fmt: skip
PLURALS |= {word: f"{word}s" for word in WORDS if word not in {"fish", "silver"}}

NUMBER_WORDS = tuple(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
    """.split(),
)
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS = tuple("January February March April May June July August September October November December".split())

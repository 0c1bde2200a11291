"""What the people in the browser tests read: our own words, with everything that a real response brings along."""

GUIDELINES = """Prefer the reply that **you** would rather have received.

1. Right before friendly: a warm reply with a wrong fact loses.
2. Complete before short, short before long-winded.
3. If you cannot tell which is right, say *equally good* rather than guess.

Skip what you do not understand. Nobody counts your skips.
"""

DEDUPLICATE = (
    "How do I remove duplicates from a list in Python without losing the order? And does it matter how I do it?"
)

DEDUPLICATE_LONG = """There are two good ways, and one that only looks good.

### Keep the first of each

Since Python 3.7 a `dict` remembers the order in which its keys came in. So this does what you ask in one line:

```python
def unique(items: list[str]) -> list[str]:
    \"\"\"Each item once, in the order of its first appearance.\"\"\"
    return list(dict.fromkeys(items))
```

### When the items cannot be hashed

Lists and dictionaries are no keys. Compare them by something that is one:

```python
def unique_by(items, key):
    seen = set()
    return [item for item in items if not (key(item) in seen or seen.add(key(item)))]
```

### Does it matter?

For a short list, no. For a long one the difference is large, because `if item not in result` walks through the whole result each time:

| Items | `dict.fromkeys` | loop with `not in` | times slower |
|------:|----------------:|-------------------:|-------------:|
| 100 | 4 µs | 90 µs | 22 |
| 10,000 | 0.5 ms | 0.9 s | 1,800 |
| 100,000 | 6 ms | 94 s | 15,600 |

> A rule of thumb: if you ask “have I seen this?” more than a hundred times, ask a set.

Avoid `list(set(items))`: it is short, quick, and throws the order away.
"""

DEDUPLICATE_SHORT = """Use `list(dict.fromkeys(items))`.

It keeps the first occurrence of each item **in order**, because dictionaries remember insertion order. It takes time in proportion to the length of the list. Your items must be hashable (strings, numbers and tuples are; lists are not).

If they are not hashable:

```python
result = []
for item in items:
    if item not in result:
        result.append(item)
```

This is fine for a few hundred items, and slow beyond that.
"""

GARDEN = [
    {"role": "system", "content": "You help hobby gardeners in a cool climate. Be practical."},
    {"role": "user", "content": "My tomatoes have brown, sunken spots at the bottom of the fruit. Is it a disease?"},
    {
        "role": "assistant",
        "content": "That sounds like blossom end rot. It is not contagious. Do you water every day, or now and then?",
    },
    {"role": "user", "content": "Now and then, a lot at once when they look sad. What should I change?"},
]

GARDEN_A = """Water **less at once, more often**. Blossom end rot is a lack of calcium *in the fruit*, and nearly always the soil has enough of it: the plant cannot move it when the roots swing between dry and drowned.

- Give about two litres per plant every second day, in the morning, at the root.
- Cover the soil with straw or dry grass, so that it stays evenly damp.
- Pick the spoilt fruit; they will not recover, and they cost the plant strength.

New fruit should be clean in two to three weeks."""

GARDEN_B = """Blossom end rot comes from a calcium deficiency, so you should spray the leaves with calcium chloride every week and add lime to the soil. You could also crush egg shells and put them around the plants. Watering regularly can help too, but calcium is the main thing. Also remove the affected leaves, disinfect your tools, and do not compost the plants, so that it does not spread to others."""

FAREWELL = "Write the last sentence of a letter to a town you are leaving after twenty years."

FAREWELLS = [
    "I have packed everything but the light on the river at five in the afternoon, which, as you know, does not fit into boxes.",
    "Thank you for everything and goodbye, I will miss you a lot and will always remember the good times we had together.",
    "I leave you my bicycle, my umbrella, and the argument with the baker about whether it was ever warmer than in the summer I came.",
    "In conclusion, leaving a town is a significant life event that can evoke sadness, nostalgia and hope, all of which are valid.",
]

HAIKU = "A haiku about a printer."
HAIKUS = [
    "Paper jam again.  \nThe printer dreams of forests,  \nremembers being tall.",
    "Printer prints paper / it prints paper all day long / printer prints paper",
]

LONG = [
    {"role": role, "content": words}
    for turn in range(4)
    for role, words in (("user", f"{turn}. {GARDEN[1]['content']}"), ("assistant", GARDEN_B))
]
LONG += [{"role": "user", "content": "Once more, and all of it:\n\n" + "\n\n".join([GARDEN_A] * 6)}]

WIDE = f"""{"Donaudampfschiff" * 12} https://example.org/{"long/" * 40}

{"|" + "a column |" * 14}
{"|" + "-|" * 14}
{"|" + "some words |" * 14}

```python
{"name = 'a long line of code' + " * 8}
```

$${" + ".join(f"a_{{{n}}}" for n in range(40))} = b$$

In a line ${" + ".join(f"a_{{{n}}}" for n in range(40))} = b$ and \\(\\frac{{a}}{{b}}\\).

- مرحبا بالعالم
- [ ] שלום

| الاسم | القيمة |
|---|--:|
| تفاح | 12 |
"""

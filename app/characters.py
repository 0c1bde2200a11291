"""Characters that a text cannot hold, and those that a name must not."""

import re
from typing import Final

UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""NUL, and halves of surrogate pairs: Postgres stores neither."""
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What breaks a line or is not to be seen, besides those."""

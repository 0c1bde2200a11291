"""The trainer: the only place with torch. It reads one run, one dataset and their files, and publishes a checkpoint."""

import os

# Read by the Hugging Face libraries when they are first imported, so before anything here imports them.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Read by OpenMP when torch is first imported. By default its threads spin while they wait for each other; as soon as
# another process wants a core, small models then train ten times slower (measured with two threads on two cores).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

"""Memory, processors and GPUs in words: of a run's process, or of a trainer's machine. Pure.

The names are those of the trainer's `worker/usage.py`; what it did not tell is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.language import gettext as _
from app.pages import number, percent, size

Facts = Sequence[tuple[str, str]]


def of_process(usage: Mapping[str, Any]) -> Facts:
    found: list[tuple[str, str]] = []
    if "memory" in usage:
        told = {"now": size(usage["memory"]), "peak": size(usage.get("memory_peak", usage["memory"]))}
        found.append((_("Memory"), _("%(now)s, %(peak)s at most", **told)))
    if "processors" in usage:
        found.append((_("Processors"), _("%(n)s at work", n=number(usage["processors"]))))
    return [*found, *_gpus(usage)]


def of_machine(usage: Mapping[str, Any]) -> Facts:
    found: list[tuple[str, str]] = []
    if "memory" in usage:
        told = {"free": size(usage.get("memory_free", 0)), "all": size(usage["memory"])}
        found.append((_("Memory"), _("%(free)s free of %(all)s", **told)))
    if usage.get("cores") and "load" in usage:
        told = {"load": number(usage["load"]), "cores": number(usage["cores"])}
        found.append((_("Load"), _("%(load)s on %(cores)s cores", **told)))
    return [*found, *_gpus(usage)]


def _gpus(usage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for gpu in usage.get("gpus", ()):
        parts = []
        if "memory" in gpu and "memory_free" in gpu:
            parts.append(_("%(free)s free of %(all)s", free=size(gpu["memory_free"]), all=size(gpu["memory"])))
        if "utilisation" in gpu:
            parts.append(_("%(share)s busy", share=percent(gpu["utilisation"])))
        yield str(gpu.get("name", "GPU")), ", ".join(parts) or "–"

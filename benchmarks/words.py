"""A linear model on words: what the reports hold a neural reward model against, fitted with the same ranking losses.

The score of a response is w·x, x its tf-idf of words and pairs of words: (1 + log tf) · log(N/df), scaled to length 1, terms
seen twice at least. With the logistic loss on pairs that is Bradley–Terry, P(chosen) = σ(w·(x_chosen − x_rejected)), a
logistic regression on differences; with Plackett–Luce or all pairs of a ranking it is the same model of longer judgments. Both
are convex, so neither start nor order of the data matters. The prompt is not looked at: within a group it says nothing to w.

Shape key: G groups, K response slots, R responses of all groups.
"""

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.recipe import scored_by
from worker.agreement import order_figures
from worker.groups import Group
from worker.objectives.ranking import LOSSES

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+|\d+|[^\w\s]")
PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
STEPS = 200


def terms(text: str) -> Counter[str]:
    """Words and pairs of words in small letters; Chinese and Japanese, which put no space between words, by character."""
    words = WORD.findall(text.lower())
    return Counter([*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))])


class WordModel:
    """Fitted on the judged groups it is made with: the mean ranking loss of a group plus ``penalty`` · |w|²."""

    def __init__(self, groups: Sequence[Group], loss: str, penalty: float) -> None:
        texts = [text for group in groups for text in group.responses]
        seen = Counter(term for text in texts for term in set(terms(text)))
        kept = [term for term, count in seen.items() if count > 1]
        self.place = {term: place for place, term in enumerate(kept)}
        self.idf = {term: math.log(len(texts) / seen[term]) for term in kept}
        self.weights = torch.zeros(len(kept), dtype=torch.float64)
        self._fit(groups, loss, penalty)

    def _features(self, texts: Sequence[str]) -> Tensor:
        """X of each response, sparse: (R, terms)."""
        rows, columns, values = [], [], []
        for row, text in enumerate(texts):
            counts = {term: count for term, count in terms(text).items() if term in self.place}
            entries = {term: (1 + math.log(count)) * self.idf[term] for term, count in counts.items()}
            norm = math.sqrt(sum(value * value for value in entries.values())) or 1.0
            rows += [row] * len(entries)
            columns += [self.place[term] for term in entries]
            values += [value / norm for value in entries.values()]
        shape = (len(texts), len(self.place))
        return torch.sparse_coo_tensor(torch.tensor([rows, columns]), values, shape, dtype=torch.float64).coalesce()

    def _fit(self, groups: Sequence[Group], loss: str, penalty: float) -> None:
        features = self._features([text for group in groups for text in group.responses])
        widest = max(len(group.responses) for group in groups)
        tiers_GK = torch.zeros(len(groups), widest, dtype=torch.long)
        mask_GK = torch.zeros(len(groups), widest, dtype=torch.bool)
        for row, group in enumerate(groups):
            tiers_GK[row, : len(group.tiers)] = torch.tensor(group.tiers)
            mask_GK[row, : len(group.tiers)] = True
        nothing_G, one_G = torch.zeros(len(groups)).double(), torch.ones(len(groups)).double()
        weights = self.weights.clone().requires_grad_()
        search = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

        def cost() -> Tensor:
            search.zero_grad()
            empty_GK = torch.zeros(mask_GK.shape, dtype=torch.float64)
            scores_GK = empty_GK.masked_scatter(mask_GK, torch.mv(features, weights))
            loss_G = LOSSES[loss](scores_GK, tiers_GK, mask_GK, nothing_G, one_G)
            found = loss_G.mean() + penalty * weights.square().sum()
            found.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            return found

        search.step(cost)
        self.weights = weights.detach()

    def scores(self, groups: Sequence[Group]) -> list[tuple[float, ...]]:
        """One for each response of each group."""
        every = torch.mv(self._features([text for group in groups for text in group.responses]), self.weights).tolist()
        values = iter(every)
        return [tuple(itertools.islice(values, len(group.responses))) for group in groups]


def best_penalty(groups: Sequence[Group], loss: str, seed: int = 0) -> float:
    """That of `PENALTIES` which agrees best with a fifth of the prompts when fitted on the others."""
    prompts = sorted({repr(group.prompt) for group in groups})
    random.Random(seed).shuffle(prompts)
    aside = set(prompts[: max(1, len(prompts) // 5)])
    fitted = [group for group in groups if repr(group.prompt) not in aside]
    tried = [group for group in groups if repr(group.prompt) in aside]

    def accuracy(penalty: float) -> float:
        model = WordModel(fitted, loss, penalty)
        return float(order_figures(scored_by(model.scores(tried), tried))["accuracy"])

    return max(PENALTIES, key=accuracy)

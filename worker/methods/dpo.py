"""DPO: move probability from worse responses to better ones, without a reward model.

Source: Rafailov et al. 2023, arXiv:2305.18290, eq. 7, for groups of any size and every ranking loss.

Derivation
  1  P(a⁺ ≻ a⁻ | x) = σ(r(x, a⁺) − r(x, a⁻))                       Bradley–Terry, `objectives/ranking.py`
  2  r(x, a) = β log π*(a|x)/π_ref(a|x) + β log Z(x)                the implicit reward, `objectives/scores.py`
  3  put 2 into 1: Z(x) cancels, and −log P is the logistic ranking loss of the scores β (log π_θ − log π_ref).

Another model of choice in 1 is another loss: probit, Plackett–Luce (ibid., appendix A.3), Davidson for ties. `squared` is IPO.

Before the first step π_θ = π_ref, so all scores are 0 and the logistic loss is ln 2 per pair; `steps.py` stops a run whose
log-ratios are not 0. β is the strength of the KL penalty: small β lets the policy move far.

The reference is the start model unless another checkpoint is named. With none, the score is β log π_θ alone: over the mean of
tokens and with a target margin that is SimPO (arXiv:2405.14734), and nothing but the learning rate limits the drift.

Tried on `samples/task.py` with 2,997 groups and one wrong label in twenty, share of right answers from 44.5 %: one epoch at
rate 5e-5 77 %, at 1e-4 74 %, at 2e-4 70 %; two epochs at 1e-4 71 %. The margin grows all the while: it is no measure of worth.

The log-probability of the better responses may fall while the margin grows; that is the loss's nature, not a fault. The SFT
term works against it. Left out: f-divergences other than the KL, losses on single responses (KTO).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from worker.batches import Batch
from worker.groups import Group
from worker.methods.preference import (
    TIES_AS_EVIDENCE,
    ImplicitReward,
    implicit_ranking_loss,
    implicit_scores,
    implicit_tally,
    order_share,
    ordered,
)
from worker.methods.tally import Tally
from worker.policy import Kind, Model, logp

NAME, TITLE = "dpo", "Direct preference optimisation"
OBJECTIVE = (
    r"\mathcal{L}(\theta) = -\frac{1}{|\{i \succ j\}|} \sum_{i \succ j} \log \sigma(s_i - s_j), \qquad "
    r"s_i = \beta \log \frac{\pi_\theta(a_i \mid x)}{\pi_{\mathrm{ref}}(a_i \mid x)}"
)
KIND: Kind = "policy"
NEEDS = "order"
TIES_TEACH = TIES_AS_EVIDENCE
LEARNING_RATE = 5e-5


@dataclass(frozen=True, kw_only=True)
class Settings(ImplicitReward):
    pass


def reference(settings: Settings) -> str:
    """Whose log-probabilities the scores are held against."""
    return settings.reference


def examples(groups: Sequence[Group], settings: Settings) -> list[Group]:
    """The groups that make a comparison."""
    return ordered(groups, settings)


def share(batch: Batch, settings: Settings) -> Tensor:
    """What the summed loss is divided by: the weight of the groups that make a comparison, shape ()."""
    return order_share(batch, settings)


def loss(model: Model, batch: Batch, settings: Settings) -> Tally:
    """Ranking loss of the implicit rewards, summed over groups; margins are in units of reward."""
    said = implicit_scores(logp(model, batch), batch, settings)
    return implicit_tally(implicit_ranking_loss(said.scores_GK, batch, settings), said, batch, settings)

"""The cost of predicting a token: over the whole vocabulary, or over the token and some drawn ones.

Shape suffixes: N predictions, E embedding, V vocabulary, K drawn tokens, D distinct ones of them, U rows looked up.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLING_POWER = 0.75
"""Tokens are drawn by their counts to this power: nearer to even, rare ones get their share of gradients.

Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases", section 2.2; Ji et al. 2016 (BlackOut).
"""


def full_cross_entropy(outputs_NE: Tensor, targets_N: Tensor, embedding_VE: Tensor, bias_V: Tensor) -> Tensor:
    """-log p of each target, [N], float32."""
    logits_NV = F.linear(outputs_NE, embedding_VE) + bias_V
    return F.cross_entropy(logits_NV.float(), targets_N, reduction="none")


def sampled_cross_entropy(
    outputs_NE: Tensor,
    targets_N: Tensor,
    embedding_VE: Tensor,
    bias_V: Tensor,
    *,
    samples_K: Tensor,
    log_chances_V: Tensor,
) -> Tensor:
    """-log of the chance that the target is the true one among itself and the drawn tokens, [N], float32.

    Put the target t among K tokens drawn from Q and ask which was t. By Bayes the answer y has the chance

        p(y) m(y) / Q(y), divided by the sum of the same over all tokens there,

    m(y) being how often y is there, the target counted. So logits that are right here are right for the full softmax.
    Only the rows of the embedding that take part are looked up, and its gradient is sparse.

    Source: Bengio & Senécal 2008, section 3; Jean et al. 2015, section 3.2, eq. 8 (there without m).

    Args:
        outputs_NE: what is set against the vectors.
        targets_N: the tokens to predict.
        embedding_VE: the vectors, shared with the input (Press & Wolf 2017; Inan et al. 2017).
        bias_V: added to each token's logit.
        samples_K: tokens drawn with replacement, the same for all predictions.
        log_chances_V: log Q, Q being the chances of one draw.
    """
    drawn_D, times_D = torch.unique(samples_K, return_counts=True)
    tokens_U, places = torch.unique(torch.cat([targets_N, drawn_D]), return_inverse=True)
    at_target_N, at_drawn_D = places[: len(targets_N)], places[len(targets_N) :]
    rows_UE = F.embedding(tokens_U, embedding_VE, sparse=True)
    offset_U = (bias_V - log_chances_V)[tokens_U]
    times_U = offset_U.new_zeros(len(tokens_U)).index_add(0, at_drawn_D, times_D.to(offset_U.dtype))
    true_N = (outputs_NE * F.embedding(at_target_N, rows_UE)).sum(1).float()
    true_N = true_N + offset_U[at_target_N]
    drawn_ND = F.linear(outputs_NE, rows_UE[at_drawn_D]).float() + (offset_U[at_drawn_D] + times_D.log())
    total_N = torch.logaddexp(torch.logsumexp(drawn_ND, dim=1), true_N)  # the target once, and as often as drawn
    return total_N - true_N - times_U.log1p()[at_target_N]


def drawing_chances(counts_V: Tensor) -> Tensor:
    """Q [V]: the chances by which tokens are drawn, from how often each stands in the texts; none is zero."""
    weights_V = (counts_V.double() + 1) ** SAMPLING_POWER
    return (weights_V / weights_V.sum()).float()

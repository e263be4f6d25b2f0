"""Triton kernels of `model.engine.cuda`: one LSTM layer in both directions, and the linear model over n-grams.

A program takes a block of rows through all their time steps. The recurrent weights are loaded once
and stay in shared memory; hidden states, cells and what pooling needs stay in registers; the
input's part of the gates is a row of a table, fetched while earlier steps compute. So device memory
gives the token ids, the rows of the table, and nothing else.

`TRITON_INTERPRET=1` runs the same code on a CPU, slowly: the tests use it.

Shape suffixes: R rows of a block, H hidden units, C labels, N texts, P places of n-grams.
"""

# Triton reads the kernels as source: what they name must be a `tl.constexpr` or an argument, and types are Triton's.
# mypy: ignore-errors
import triton
import triton.language as tl

from model.ngrams import HASH_SHIFT, MULTIPLIER

_MULTIPLIER = tl.constexpr(MULTIPLIER)
_HASH_SHIFT = tl.constexpr(HASH_SHIFT)
_LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def _tanh(x, FAST: tl.constexpr):
    """The hyperbolic tangent: one instruction to 2^-11 of its value, or two for one nearly exact."""
    if FAST:
        return tl.inline_asm_elementwise("tanh.approx.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1)
    return 2.0 / (1.0 + tl.exp2(x * (-2.0 * _LOG2_E))) - 1.0


@triton.jit
def _sigmoid(x, FAST: tl.constexpr):
    if FAST:
        return 0.5 + 0.5 * _tanh(0.5 * x, FAST)
    return 1.0 / (1.0 + tl.exp2(x * -_LOG2_E))


@triton.jit
def _four(first, distance):
    """Loads four blocks that lie at equal distances: those of the gates input, forget, cell and output."""
    return tl.load(first), tl.load(first + distance), tl.load(first + 2 * distance), tl.load(first + 3 * distance)


@triton.jit
def _cell(h_RH, c_RH, i_RH, f_RH, g_RH, o_RH, w_i, w_f, w_g, w_o, FAST: tl.constexpr):
    """Computes the next cell and state from the state, the inputs' part of the gates, and the recurrent weights."""
    # One gate after another: the sums of all four at once would not fit into the registers.
    added_RH = _sigmoid(tl.dot(h_RH, w_i, i_RH.to(tl.float32), input_precision="ieee"), FAST)
    added_RH *= _tanh(tl.dot(h_RH, w_g, g_RH.to(tl.float32), input_precision="ieee"), FAST)
    c_RH = c_RH * _sigmoid(tl.dot(h_RH, w_f, f_RH.to(tl.float32), input_precision="ieee"), FAST) + added_RH
    return c_RH, _sigmoid(tl.dot(h_RH, w_o, o_RH.to(tl.float32), input_precision="ieee"), FAST) * _tanh(c_RH, FAST)


@triton.jit
def _add_logits(top_RH, mean_RH, last_RH, head_H, out_R, there_R, num_labels, stride, HIDDEN: tl.constexpr):
    """Stores the share of one direction in the logits: the head's products with the three pooled states."""
    for label in range(num_labels):
        row_H = head_H + label * stride
        logit_R = tl.sum(top_RH * tl.load(row_H)[None, :], 1)
        logit_R += tl.sum(mean_RH * tl.load(row_H + HIDDEN)[None, :], 1)
        logit_R += tl.sum(last_RH * tl.load(row_H + 2 * HIDDEN)[None, :], 1)
        tl.store(out_R + label, logit_R, mask=there_R)


@triton.jit(do_not_specialize=["num_texts", "num_labels"])
def lstm_logits(
    ids,
    starts,
    lengths,
    order,
    table,
    weights,
    head,
    out,
    num_texts,
    num_labels,
    vocabulary,
    HIDDEN: tl.constexpr,
    ROWS: tl.constexpr,
    DIRECTIONS: tl.constexpr,
    FAST: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Computes each direction's share of the logits of a block of texts; equations as in `model.cell`.

    Args:
        ids: int32, all texts, one after another.
        starts, lengths, order: int32 [N], longest text first: its begin, its length and its row of `out`.
        table: [directions, V, 4 * HIDDEN]; gates in the order input, forget, cell, output.
        weights: [directions, 4, HIDDEN, HIDDEN], from unit to unit; their type is that of the products.
        head: float32 [C, directions, 3, HIDDEN], for the largest, the mean and the last state.
        out: float32 [directions, N, C].
        FAST, STAGES: gates approximate to 2^-11; time steps whose inputs are fetched ahead.
    """
    kind = weights.dtype.element_ty
    direction, begin = tl.program_id(0) % DIRECTIONS, tl.program_id(0) // DIRECTIONS * ROWS
    rows_R = begin + tl.arange(0, ROWS)
    there_R = rows_R < num_texts
    length_R = tl.load(lengths + rows_R, mask=there_R, other=0)
    first_R = tl.load(starts + rows_R, mask=there_R, other=0)
    step = 1 - 2 * direction
    ids_R = ids + first_R + direction * (length_R - 1)
    units_H = tl.arange(0, HIDDEN)
    table_H = table + direction.to(tl.int64) * vocabulary * (4 * HIDDEN) + units_H
    square_HH = direction * (4 * HIDDEN * HIDDEN) + units_H[:, None] * HIDDEN + units_H[None, :]
    w_i, w_f, w_g, w_o = _four(weights + square_HH, HIDDEN * HIDDEN)
    h_RH = tl.zeros((ROWS, HIDDEN), kind)
    largest_RH = tl.full((ROWS, HIDDEN), -2.0, tl.float32).to(kind)  # below every state
    c_RH = tl.zeros((ROWS, HIDDEN), tl.float32)
    sum_RH = tl.zeros((ROWS, HIDDEN), tl.float32)
    for t in tl.range(0, tl.load(lengths + begin), num_stages=STAGES):  # the block's longest text comes first
        inside_R = t < length_R
        token_R = tl.load(ids_R + t * step, mask=inside_R, other=0)
        at_RH = table_H[None, :] + token_R.to(tl.int64)[:, None] * (4 * HIDDEN)
        i_RH, f_RH, g_RH, o_RH = _four(at_RH, HIDDEN)
        c_RH, state_RH = _cell(h_RH, c_RH, i_RH, f_RH, g_RH, o_RH, w_i, w_f, w_g, w_o, FAST)
        sum_RH += tl.where(inside_R[:, None], state_RH, 0.0)
        h_RH = tl.where(inside_R[:, None], state_RH.to(kind), h_RH)
        largest_RH = tl.where(h_RH > largest_RH, h_RH, largest_RH)
    top_RH = tl.where((length_R > 0)[:, None], largest_RH.to(tl.float32), 0.0)
    mean_RH = sum_RH / tl.maximum(length_R, 1).to(tl.float32)[:, None]
    out_R = out + (direction * num_texts + tl.load(order + rows_R, mask=there_R, other=0)) * num_labels
    head_H = head + direction * (3 * HIDDEN) + units_H
    stride = DIRECTIONS * 3 * HIDDEN
    _add_logits(top_RH, mean_RH, h_RH.to(tl.float32), head_H, out_R, there_R, num_labels, stride, HIDDEN)


@triton.jit
def _buckets(ids, place_P, length, BUCKETS: tl.constexpr, ORDER: tl.constexpr):
    """`model.ngrams.buckets_of` for n-grams of ORDER tokens that begin at these places; -1 where there is none."""
    key_P = tl.zeros_like(place_P).to(tl.int64)
    inside_P = place_P + ORDER <= length
    for offset in tl.static_range(ORDER):
        token_P = tl.load(ids + place_P + offset, mask=inside_P, other=0)
        key_P = (key_P + token_P.to(tl.int64) + 1) * _MULTIPLIER
    bucket_P = (key_P >> _HASH_SHIFT) % BUCKETS  # of the sign of the key, as in C
    bucket_P = tl.where(bucket_P < 0, bucket_P + BUCKETS, bucket_P)
    return tl.where(inside_P, bucket_P, -1).to(tl.int32)


@triton.jit(do_not_specialize=["num_labels"], do_not_specialize_on_alignment=["out"])
def ngram_logits(
    ids,
    starts,
    lengths,
    order,
    table,
    out,
    num_labels,
    BUCKETS: tl.constexpr,
    MAX_ORDER: tl.constexpr,
    PLACES: tl.constexpr,
    LABELS: tl.constexpr,
):
    """Logits [N, C] of `model.ngrams.NgramBag`: a program for each text and each LABELS labels.

    An n-gram counts if no earlier one of the text has its bucket: all pairs are compared, PLACES by PLACES at a time.

    Args:
        ids, starts, lengths, order: as in `lstm_logits`.
        table: float32 [buckets, C].
        out: float32 [N, C].
    """
    row = tl.program_id(0)
    ids += tl.load(starts + row)
    length = tl.load(lengths + row)
    labels_C = tl.program_id(1) * LABELS + tl.arange(0, LABELS)
    known_C = labels_C < num_labels
    lane_P = tl.arange(0, PLACES)
    sums_C = tl.zeros((LABELS,), tl.float32)
    found = 0
    for n in tl.static_range(1, MAX_ORDER + 1):
        for begin in range(0, length - n + 1, PLACES):
            bucket_P = _buckets(ids, begin + lane_P, length, BUCKETS, n)
            new_P = bucket_P >= 0
            for m in tl.static_range(1, n + 1):
                # Of shorter n-grams all come earlier, of equally long ones those that begin earlier.
                for other in range(0, begin + 1 if m == n else length - m + 1, PLACES):
                    earlier_P = _buckets(ids, other + lane_P, length, BUCKETS, m)
                    same_PP = bucket_P[:, None] == earlier_P[None, :]
                    if m == n:
                        same_PP = same_PP & (other + lane_P[None, :] < begin + lane_P[:, None])
                    new_P = new_P & (tl.max(same_PP.to(tl.int32), 1) == 0)
            found += tl.sum(new_P.to(tl.int32), 0)
            row_PC = table + bucket_P.to(tl.int64)[:, None] * num_labels + labels_C[None, :]
            sums_C += tl.sum(tl.load(row_PC, mask=new_P[:, None] & known_C[None, :], other=0.0), 0)
    logits_C = sums_C / tl.sqrt(tl.maximum(found, 1).to(tl.float32))
    tl.store(out + tl.load(order + row) * num_labels + labels_C, logits_C, mask=known_C)

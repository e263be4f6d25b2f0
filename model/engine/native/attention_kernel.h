// Pooling by attention over the states of the last layer, for all instruction sets; see lstm_kernel.h.
//
// u_t = tanh(W s_t + b), scores u_t · v, weights by softmax over time: Yang et al. 2016, eqs. 5 to 7, as in
// model/encoder.py. The product of W and the states, 8-bit integers both, is that of a recurrent layer whose "gates" are
// 64 units of u.
#pragma once

#include "lstm_kernel.h"

namespace sluice {
namespace {

// Scores of `Rows` tokens, whose states lie side by side.
template <class V, int Rows>
void score(const Model &model, const uint8_t *states, float *scores) {
    Tile tile{};
    tile.direction = &model.attention;
    tile.depth = model.directions * model.hidden;
    tile.h = states;
    typename V::Float totals[Rows];
    for (auto &total : totals) total = V::set(0.0f);
    for (tile.group = 0; tile.group < model.attention_units / (GATES * V::LANES); ++tile.group) {
        typename V::Int sums[Rows][1][GATES];
        products<V, Rows, 1>(tile, sums);
        const Place<V> place(tile.group);
        for (int r = 0; r < Rows; ++r)
            for (int g = 0; g < GATES; ++g) {
                const size_t at = place.of_gate(g);
                const typename V::Float x =
                    V::fma(V::to_float(sums[r][0][g]), V::load(tile.direction->scales + at), V::load(tile.direction->bias + at));
                const typename V::Float one = V::set(1.0f), e = limited_power<V>(x);
                const typename V::Float u = V::mul(V::sub(one, e), V::reciprocal(V::add(one, e)));
                totals[r] = V::fma(u, V::load(model.context + at), totals[r]);
            }
    }
    for (int r = 0; r < Rows; ++r) scores[r] = sum_of_lanes<V>(totals[r]);
}

template <class V>
void attend(const Model &model, const uint8_t *states, int64_t length, float *scores, float *mean) {
    const int width = model.directions * model.hidden;
    for (int64_t t = 0; t < length;) {
        if (length < V::TILE) {
            score<V, 1>(model, states + t * width, scores + t);
            ++t;
            continue;
        }
        if (t > length - V::TILE) t = length - V::TILE;  // some of the last tile are scored a second time
        score<V, V::TILE>(model, states + t * width, scores + t);
        t += V::TILE;
    }
    float largest = scores[0], total = 0;
    for (int64_t t = 1; t < length; ++t) largest = scores[t] > largest ? scores[t] : largest;
    for (int64_t t = 0; t < length; ++t) total += scores[t] = __builtin_expf(scores[t] - largest);
    for (int k = 0; k < width; ++k) mean[k] = 0;
    for (int64_t t = 0; t < length; ++t, states += width) {
        const float weight = scores[t] / (total * H_SCALE);
        for (int k = 0; k < width; ++k)
            mean[k] += weight * (V::SIGNED ? static_cast<int8_t>(states[k]) : states[k] - H_ZERO);
    }
}

}  // namespace
}  // namespace sluice

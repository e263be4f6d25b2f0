// Compares each kernel that this processor can run with the portable one, on random networks; see kernel_arm.py.
//
// The integer sums must be equal. Logits may differ where the last bits of a gate round a state the other way.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "model.h"

using namespace sluice;

extern "C" {
const char *sluice_variant(int index);
int sluice_supported(int index);
void sluice_sums(const Model *model, const int8_t *states, int32_t *sums);
int sluice_logits(const Model *model, const int32_t *ids, const int64_t *starts, const int64_t *order, int64_t begin,
                  int64_t end, float *logits);
}

namespace {

constexpr int HIDDEN = 48, WIDTH = 2 * HIDDEN, VOCABULARY = 20, TEXTS = 7, LABELS = 3;
constexpr int ATTENTION_UNITS = 128;
constexpr float LARGEST_DIFFERENCE = 0.02f;

std::mt19937 random_bits(0);

template <class T>
T *room(size_t count) {
    return static_cast<T *>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64));
}

int drawn(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_bits); }

const float *floats(size_t count, float largest) {
    float *found = room<float>(count);
    for (size_t n = 0; n < count; ++n) found[n] = largest * static_cast<float>(drawn(-1000, 1000)) / 1000;
    return found;
}

// Weights of `units` units in each gate, of `depth` states; with a table for the first layer, else with a bias.
Direction direction(int units, int depth, bool first) {
    const size_t gates = static_cast<size_t>(GATES) * units;
    int8_t *table = room<int8_t>(VOCABULARY * gates);
    for (size_t n = 0; n < VOCABULARY * gates; ++n) table[n] = static_cast<int8_t>(drawn(-127, 127));
    uint8_t *steps = room<uint8_t>(VOCABULARY * gates / BLOCK_UNITS);
    for (size_t n = 0; n < VOCABULARY * gates / BLOCK_UNITS; ++n) steps[n] = static_cast<uint8_t>(drawn(1, 16));
    int8_t *weights = room<int8_t>(gates * depth);
    for (size_t n = 0; n < gates * depth; ++n) weights[n] = static_cast<int8_t>(drawn(-64, 64));
    int32_t *offsets = room<int32_t>(gates);
    float *scales = room<float>(gates);
    for (size_t n = 0; n < gates; ++n) scales[n] = -1e-5f;
    // An offset takes out what 128 for each state adds: it is there for kernels whose states have no sign.
    for (int block = 0; block < units / BLOCK_UNITS; ++block)
        for (int g = 0; g < GATES; ++g)
            for (int unit = 0; unit < BLOCK_UNITS; ++unit) {
                int32_t sum = 0;
                for (int k = 0; k < depth; ++k)
                    sum += weights[(((block * (depth / 4) + k / 4) * GATES + g) * BLOCK_UNITS + unit) * 4 + k % 4];
                offsets[(block * GATES + g) * BLOCK_UNITS + unit] = -H_ZERO * sum;
            }
    return {first ? table : nullptr, first ? steps : nullptr, weights, offsets, scales, nullptr, nullptr, first ? nullptr : floats(gates, 0.5f)};
}

Model network(int layers, bool gru, bool attention) {
    Model model{};
    model.num_layers = layers;
    model.gru = gru;
    model.directions = 2;
    model.hidden = HIDDEN;
    model.labels = LABELS;
    model.num_pools = attention ? 0 : POOLS;
    for (int pool = 0; pool < POOLS; ++pool) model.pools[pool] = pool;
    for (int layer = 0; layer < layers; ++layer)
        for (int d = 0; d < 2; ++d) model.layers[layer][d] = direction(HIDDEN, layer ? HIDDEN + WIDTH : HIDDEN, layer == 0);
    if (attention) {
        model.attention_units = ATTENTION_UNITS;
        model.attention = direction(ATTENTION_UNITS / GATES, WIDTH, false);
        model.context = floats(ATTENTION_UNITS, 1);
    }
    model.head = floats(static_cast<size_t>(LABELS) * POOLS * WIDTH, 0.3f);
    model.bias = floats(LABELS, 1);
    return model;
}

// The weights of `neon-i8mm`, whose instruction takes eight states at once.
void lay_side_by_side(Direction &direction, int units, int depth) {
    const size_t of_four = static_cast<size_t>(GATES) * BLOCK_UNITS;  // places of four states
    int8_t *to = room<int8_t>(static_cast<size_t>(GATES) * units * depth);
    for (size_t pair = 0; pair < static_cast<size_t>(units) / BLOCK_UNITS * (depth / 8); ++pair)
        for (size_t place = 0; place < of_four; ++place)
            for (size_t half = 0; half < 2; ++half)
                std::memcpy(to + ((pair * of_four + place) * 2 + half) * 4,
                            direction.weights + ((pair * 2 + half) * of_four + place) * 4, 4);
    direction.weights = to;
}

Model of_eight_states(Model model) {
    for (int layer = 0; layer < model.num_layers; ++layer)
        for (Direction &each : model.layers[layer]) lay_side_by_side(each, HIDDEN, layer ? HIDDEN + WIDTH : HIDDEN);
    if (model.attention_units) lay_side_by_side(model.attention, model.attention_units / GATES, WIDTH);
    return model;
}

struct Answers {
    std::vector<int32_t> sums = std::vector<int32_t>(GATES * HIDDEN);
    std::vector<float> logits = std::vector<float>(TEXTS * LABELS);
};

Answers answers(Model model, int variant) {
    std::mt19937 tokens(1);
    std::vector<int8_t> states(HIDDEN);
    for (int8_t &state : states) state = static_cast<int8_t>(tokens() % 255 - 127);
    std::vector<int64_t> starts{0}, order(TEXTS);
    std::vector<int32_t> ids;
    for (int n = 0; n < TEXTS; ++n) {  // longest first
        for (int t = 0; t < 5 * (TEXTS - n) - 4; ++t) ids.push_back(static_cast<int32_t>(tokens() % VOCABULARY));
        starts.push_back(static_cast<int64_t>(ids.size()));
    }
    std::iota(order.begin(), order.end(), 0);
    model.variant = variant;
    Answers found;
    sluice_sums(&model, states.data(), found.sums.data());
    sluice_logits(&model, ids.data(), starts.data(), order.data(), 0, TEXTS, found.logits.data());
    return found;
}

bool agree(const char *name, const Model &model, int variant, int portable) {
    const bool eight = std::strcmp(name, "neon-i8mm") == 0;
    const Answers ours = answers(eight ? of_eight_states(model) : model, variant), expected = answers(model, portable);
    float furthest = 0;
    for (size_t n = 0; n < ours.logits.size(); ++n)
        furthest = std::fmax(furthest, std::fabs(ours.logits[n] - expected.logits[n]));
    const bool same = ours.sums == expected.sums;
    std::printf("%s, %d layers of %s, %s: sums %s, logits differ by at most %.2g\n", name, model.num_layers,
                model.gru ? "GRU" : "LSTM", model.attention_units ? "attention" : "pooled", same ? "equal" : "DIFFER", furthest);
    return same && furthest <= LARGEST_DIFFERENCE;
}

}  // namespace

int main() {
    const Model networks[] = {network(1, false, false), network(2, false, false), network(1, true, false),
                              network(3, true, true)};
    int portable = 0;
    while (std::strcmp(sluice_variant(portable), "scalar") != 0) ++portable;
    bool all = true;
    for (int variant = 0; variant < portable; ++variant) {
        const std::string name = sluice_variant(variant);
        // Those of 16-bit gates read the weights in another form.
        if (!sluice_supported(variant) || name == "avx512-fixed" || name.rfind("amx", 0) == 0) continue;
        for (const Model &model : networks) all = agree(sluice_variant(variant), model, variant, portable) && all;
    }
    return all ? 0 : 1;
}

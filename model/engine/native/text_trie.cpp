#include "text_trie.h"

#include <algorithm>
#include <stdexcept>

namespace sluice {
namespace {

constexpr uint32_t BLOCK = 256;
constexpr int MAX_TRIES = 64;  // free nodes that are tried before a block is added: more save memory and cost time

}  // namespace

Trie::Trie(std::vector<Token> tokens) {
    if (tokens.size() >= NO_FORMS) throw std::length_error("too many tokens");
    std::sort(tokens.begin(), tokens.end(), [](const Token &a, const Token &b) { return a.bytes < b.bytes; });
    next_ = previous_ = {0};
    grow();
    take(0, ROOT);
    place(tokens, 0, tokens.size(), 0, 0);
    next_ = previous_ = {};
}

// Places the tokens from `begin` to `end`, which share their first `depth` bytes, below `node`, which stands for these.
void Trie::place(const std::vector<Token> &tokens, size_t begin, size_t end, size_t depth, uint32_t node) {
    for (; begin < end && tokens[begin].bytes.size() == depth; ++begin) {
        if (nodes_[node].forms == NO_FORMS) {
            nodes_[node].forms = forms_.size();
            forms_.emplace_back();
        }
        Forms &forms = forms_.back();
        (tokens[begin].final ? forms.final : forms.inner) = tokens[begin].id;
    }
    if (begin == end) return;
    std::vector<uint8_t> labels;
    std::vector<size_t> starts;
    for (size_t i = begin; i < end; ++i) {
        const auto label = static_cast<uint8_t>(tokens[i].bytes[depth]);
        if (!labels.empty() && labels.back() == label) continue;
        labels.push_back(label);
        starts.push_back(i);
    }
    starts.push_back(end);
    const uint32_t base = find_base(labels);
    nodes_[node].base = base;
    for (const uint8_t label : labels) take(base ^ label, node);
    for (size_t i = 0; i < labels.size(); ++i) place(tokens, starts[i], starts[i + 1], depth + 1, base ^ labels[i]);
}

// A base for which the nodes of all labels are free.
uint32_t Trie::find_base(const std::vector<uint8_t> &labels) {
    int tries = 0;
    for (uint32_t free = next_[0]; free && tries < MAX_TRIES; free = next_[free], ++tries)
        if (fits(free ^ labels[0], labels)) return free ^ labels[0];
    const auto base = static_cast<uint32_t>(nodes_.size());
    grow();
    return base;
}

bool Trie::fits(uint32_t base, const std::vector<uint8_t> &labels) const {
    const auto is_free = [&](uint8_t label) { return nodes_[base ^ label].parent == FREE; };
    return std::all_of(labels.begin(), labels.end(), is_free);
}

// Adds a block of free nodes at the end of the ring.
void Trie::grow() {
    const auto begin = static_cast<uint32_t>(nodes_.size()), end = begin + BLOCK;
    if (end > ROOT) throw std::length_error("too many nodes");
    nodes_.resize(end, {0, FREE, NO_FORMS});
    next_.resize(end);
    previous_.resize(end);
    for (uint32_t node = std::max(begin, 1u); node < end; ++node) {
        const uint32_t last = previous_[0];
        next_[last] = previous_[0] = node;
        previous_[node] = last;
        next_[node] = 0;
    }
}

// Takes a node out of the ring and gives it its parent.
void Trie::take(uint32_t node, uint32_t parent) {
    nodes_[node].parent = parent;
    if (!node) return;
    next_[previous_[node]] = next_[node];
    previous_[next_[node]] = previous_[node];
}

}  // namespace sluice

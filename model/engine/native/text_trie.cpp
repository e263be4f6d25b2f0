#include "text_trie.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr int32_t BLOCK = 256;
constexpr int MAX_TRIES = 64;  // free nodes that are tried before a block is added: more would save memory and cost time

}  // namespace

Trie::Trie(std::vector<Token> tokens) {
    std::sort(tokens.begin(), tokens.end(), [](const Token &a, const Token &b) { return a.bytes < b.bytes; });
    next_ = previous_ = {0};
    grow();
    take(0, ROOT);
    place(tokens, 0, tokens.size(), 0, 0);
    next_ = previous_ = {};
}

// Places the tokens from `begin` to `end`, which share their first `depth` bytes, below `node`, which stands for these.
void Trie::place(const std::vector<Token> &tokens, size_t begin, size_t end, size_t depth, int32_t node) {
    for (; begin < end && tokens[begin].bytes.size() == depth; ++begin) {
        Node &here = nodes_[static_cast<size_t>(node)];
        (tokens[begin].final ? here.final : here.inner) = tokens[begin].id;
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
    const int32_t base = find_base(labels);
    nodes_[static_cast<size_t>(node)].base = base;
    for (const uint8_t label : labels) take(base ^ label, node);
    for (size_t i = 0; i < labels.size(); ++i) place(tokens, starts[i], starts[i + 1], depth + 1, base ^ labels[i]);
}

// A base for which the nodes of all labels are free.
int32_t Trie::find_base(const std::vector<uint8_t> &labels) {
    int tries = 0;
    for (int32_t free = next_[0]; free && tries < MAX_TRIES; free = next_[static_cast<size_t>(free)], ++tries)
        if (fits(free ^ labels[0], labels)) return free ^ labels[0];
    const auto base = static_cast<int32_t>(nodes_.size());
    grow();
    return base;
}

bool Trie::fits(int32_t base, const std::vector<uint8_t> &labels) const {
    return std::all_of(labels.begin(), labels.end(), [&](uint8_t label) { return nodes_[static_cast<size_t>(base ^ label)].parent == FREE; });
}

// Adds a block of free nodes at the end of the ring.
void Trie::grow() {
    const auto begin = static_cast<int32_t>(nodes_.size());
    nodes_.resize(nodes_.size() + BLOCK);
    next_.resize(nodes_.size());
    previous_.resize(nodes_.size());
    for (int32_t node = std::max(begin, 1); node < begin + BLOCK; ++node) {
        const int32_t last = previous_[0];
        next_[static_cast<size_t>(last)] = previous_[0] = node;
        previous_[static_cast<size_t>(node)] = last;
        next_[static_cast<size_t>(node)] = 0;
    }
}

// Takes a node out of the ring and gives it its parent.
void Trie::take(int32_t node, int32_t parent) {
    nodes_[static_cast<size_t>(node)].parent = parent;
    if (!node) return;
    const int32_t before = previous_[static_cast<size_t>(node)], after = next_[static_cast<size_t>(node)];
    next_[static_cast<size_t>(before)] = after;
    previous_[static_cast<size_t>(after)] = before;
}

}  // namespace sluice

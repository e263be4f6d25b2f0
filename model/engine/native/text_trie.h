// A trie of the vocabulary in a double array: from the bytes of a piece to the longest token that they begin with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice {

constexpr int32_t NO_TOKEN = -1;

// Tokens come in two forms: inside of a piece, and at its end (with the suffix `</w>`).
struct Token {
    std::string bytes;
    bool final;
    int32_t id;
};

// Source: Aoe 1989, "An efficient digital search algorithm by using a double-array structure"; children lie at
// `base ^ byte`, so that those of a node are within one block of 256.
class Trie {
  public:
    struct Match {
        int32_t token, length;
    };

    // Tokens that differ in bytes or form. Throws std::length_error if they are too many for the bits of a node.
    explicit Trie(std::vector<Token> tokens);

    // The longest token that fits here: one that ends a piece must end at `size`, any other before it.
    // The vocabulary has all bytes, so there is one if `size` > 0.
    Match longest(const uint8_t *bytes, int size) const { return search(bytes, size, size); }

    // The longest of fewer bytes than `length`, inside of a piece; NO_TOKEN if there is none.
    Match shorter(const uint8_t *bytes, int length) const { return search(bytes, length - 1, length); }

  private:
    // Eight to a cache line: most of the time here is spent waiting for nodes.
    struct Node {
        uint64_t base : 22, parent : 22, forms : 20;  // forms: place in `forms_`, if a token ends here
    };
    static constexpr uint32_t FREE = (1 << 22) - 1, ROOT = FREE - 1;  // no places, so no node has them for a parent
    static constexpr uint32_t NO_FORMS = (1 << 20) - 1;

    struct Forms {
        int32_t inner = NO_TOKEN, final = NO_TOKEN;
    };

    // Looks at `limit` bytes of a piece that has `size`.
    Match search(const uint8_t *bytes, int limit, int size) const {
        Match found{NO_TOKEN, 0};
        uint32_t at = 0;
        for (int i = 0; i < limit; ++i) {
            const uint32_t child = static_cast<uint32_t>(nodes_[at].base) ^ bytes[i];
            const Node node = nodes_[child];
            if (node.parent != at) break;
            at = child;
            if (node.forms == NO_FORMS) continue;
            const int32_t token = i + 1 == size ? forms_[node.forms].final : forms_[node.forms].inner;
            if (token != NO_TOKEN) found = {token, i + 1};
        }
        return found;
    }

    void place(const std::vector<Token> &tokens, size_t begin, size_t end, size_t depth, uint32_t node);
    uint32_t find_base(const std::vector<uint8_t> &labels);
    bool fits(uint32_t base, const std::vector<uint8_t> &labels) const;
    void grow();
    void take(uint32_t node, uint32_t parent);

    std::vector<Node> nodes_;
    std::vector<Forms> forms_;
    std::vector<uint32_t> next_, previous_;  // a ring of the free nodes through the root; empty once all is placed
};

}  // namespace sluice

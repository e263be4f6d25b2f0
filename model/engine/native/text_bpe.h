// Byte-pair encoding of one piece: the same tokens as merging pair after pair gives, found from left to right.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text_split.h"
#include "text_trie.h"

namespace sluice {

struct Merge {
    int32_t left, right;
};

class Vocabulary {
  public:
    // tokens: in the order of their ids. merges: the first one made the first token that is no single byte, and so on.
    // None if these are not of the one kind that `train_vocabulary` makes, for which the shortcut below is proven.
    static std::unique_ptr<Vocabulary> make(const std::vector<Token> &tokens, const std::vector<Merge> &merges);

    static constexpr int MAX_WORD = 8;  // bytes of a piece that is looked up as one number

    // Writes the tokens of a piece of 1 to MAX_PIECE_BYTES bytes, no more than it has bytes; returns how many. 0 would
    // say that there is no encoding, which cannot be. MAX_WORD bytes can be read at `piece`, whatever its size.
    int encode(const uint8_t *piece, int size, int32_t *ids) const;

  private:
    struct Part {  // the two tokens that a merge made this one of, and its length; of a byte it is itself twice
        int32_t left, right, length;
    };

    explicit Vocabulary(const std::vector<Token> &tokens) : trie_(tokens) {}

    static bool is_in_order(const std::vector<Token> &tokens, const std::vector<Merge> &merges);

    void add_word(const Token &token);
    int32_t word(const uint8_t *piece, int size) const;
    void add_pair(int32_t left, int32_t right, int32_t merged);
    int32_t merged(int32_t left, int32_t right) const;
    bool stay_apart(int32_t left, int32_t right, int32_t limit) const;

    struct Word {
        uint64_t key;
        int32_t size, id;
    };

    Trie trie_;
    std::vector<Word> words_;          // tokens that are a whole piece of up to MAX_WORD bytes; open addressing
    std::vector<Part> parts_;          // of each token
    std::vector<int32_t> pairs_;       // the token of each merge, by its two parts; open addressing
    std::vector<uint64_t> may_merge_;  // a bit for each hash: most pairs are not in `pairs_`, which is larger
};

}  // namespace sluice

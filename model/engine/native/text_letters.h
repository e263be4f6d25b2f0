// Tokens as the vocabulary spells them: each byte is a letter, since many bytes cannot be seen.
#pragma once

#include <cstdint>

#include "text_trie.h"

namespace sluice {

// Source: Radford et al. 2019, `bytes_to_unicode` of GPT-2: a byte that is a visible character of Latin-1 is that, the
// others are the letters from U+0100 on, in order.
class ByteLetters {
  public:
    ByteLetters();

    // Reads bytes and form of a token; false if a letter stands for no byte.
    bool parse(const uint8_t *at, const uint8_t *end, Token &token) const;

  private:
    static constexpr uint32_t NUM_LETTERS = 256 + 68;
    int16_t bytes_[NUM_LETTERS];
};

}  // namespace sluice

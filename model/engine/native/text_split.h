// Cuts a normalised text into the pieces inside which byte-pair encoding works: PIECE of `model/tokenizer.py`.
#pragma once

#include <cstddef>

#include "text_normalize.h"

namespace sluice {

constexpr int MAX_PIECE_CHARS = 64;  // of a word
constexpr int MAX_SIGNS = 16;        // of Chinese characters, digits and other signs
constexpr int MAX_PIECE_BYTES = 4 * MAX_PIECE_CHARS;

class Splitter {
  public:
    // chinese_words: runs of Chinese characters are pieces; else each is one.
    Splitter(const Normal &normal, bool chinese_words)
        : bytes_(normal.bytes.data()), kinds_(normal.kinds.data()), size_(normal.size),
          max_han_(chinese_words ? MAX_SIGNS : 1) {}

    // Moves on to the next piece, at most MAX_PIECE_BYTES long; false if there is none.
    bool next();

    const uint8_t *piece() const { return bytes_ + begin_; }
    int length() const { return static_cast<int>(end_ - begin_); }

  private:
    bool is_letter(size_t at) const { return at < size_ && kinds_[at] & LETTER; }
    size_t contraction(size_t at) const;
    bool is_not(size_t at) const;
    void take_word();
    template <typename Fits> void take(int max_chars, Fits fits);

    const uint8_t *bytes_, *kinds_;
    size_t size_, begin_ = 0, end_ = 0;
    int max_han_;
};

}  // namespace sluice

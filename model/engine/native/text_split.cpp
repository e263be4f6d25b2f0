// The alternatives of PIECE in their order. None needs a second look at what it took: what follows each is only looked at.

#include "text_split.h"

#include <cstring>

namespace sluice {

// "n't" that no letter follows.
bool Splitter::is_not(size_t at) const {
    return bytes_[at] == 'n' && at + 3 <= size_ && bytes_[at + 1] == '\'' && bytes_[at + 2] == 't' && !is_letter(at + 3);
}

// Length of "'s", "'re", "'ve", "'ll", "'m" or "'d" that no letter follows; else 0.
size_t Splitter::contraction(size_t at) const {
    if (bytes_[at] != '\'' || at + 2 > size_) return 0;
    const uint8_t first = bytes_[at + 1];
    if ((first == 's' || first == 'm' || first == 'd') && !is_letter(at + 2)) return 2;
    if (at + 3 > size_) return 0;
    const uint8_t second = bytes_[at + 2];
    const bool fits = ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
    return fits && !is_letter(at + 3) ? 3 : 0;
}

// Extends the piece by characters that fit, up to so many.
template <typename Fits> void Splitter::take(int max_chars, Fits fits) {
    for (int taken = 0; end_ < size_ && taken < max_chars && fits(end_); ++taken)
        do ++end_;
        while (end_ < size_ && kinds_[end_] & Normal::CONTINUED);
}

bool Splitter::next() {
    for (begin_ = end_; begin_ < size_; begin_ = end_) {
        const uint8_t kind = kinds_[begin_];
        if (is_not(begin_)) {
            end_ = begin_ + 3;
        } else if (const size_t length = contraction(begin_)) {
            end_ = begin_ + length;
        } else if (kind & HAN) {
            take(max_han_, [&](size_t at) { return kinds_[at] & HAN; });
        } else if (kind & (LETTER | MARK)) {
            take(MAX_PIECE_CHARS, [&](size_t at) { return kinds_[at] & (LETTER | MARK) && !(kinds_[at] & HAN) && !is_not(at); });
        } else if (kind & NUMBER) {
            take(MAX_SIGNS, [&](size_t at) { return kinds_[at] & NUMBER; });
        } else if (!(kind & SPACE)) {
            take(MAX_SIGNS, [&](size_t at) { return !(kinds_[at] & (SPACE | LETTER | MARK | NUMBER)); });
        } else {
            take(1, [](size_t) { return true; });
            continue;
        }
        return true;
    }
    return false;
}

}  // namespace sluice

// The alternatives of PIECE in their order. None has to give back what it took: what follows each is only looked at.

#include "text_split.h"

#include <algorithm>
#include <cstring>

namespace sluice {

namespace {

// How many of the 8 kinds are of a letter of one byte, from the first on.
int plain_letters(const uint8_t *kinds) {
    constexpr uint64_t letters = 0x0101010101010101ull * LETTER;
    uint64_t eight;
    std::memcpy(&eight, kinds, sizeof eight);
    const uint64_t others = eight ^ letters;
    if (!others) return 8;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_ctzll(others) / 8;
#else
    return __builtin_clzll(others) / 8;
#endif
}

}  // namespace

// "n't" that no letter follows.
bool Splitter::is_not(size_t at) const {
    if (bytes_[at] != 'n' || at + 3 > size_) return false;
    return bytes_[at + 1] == '\'' && bytes_[at + 2] == 't' && !is_letter(at + 3);
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

// Extends the piece by characters whose kinds fit, up to so many.
template <typename Fits> void Splitter::take(int max_chars, Fits fits) {
    size_t at = end_;
    for (int taken = 0; at < size_ && taken < max_chars && fits(kinds_[at]); ++taken)
        do ++at;
        while (at < size_ && kinds_[at] & Normal::CONTINUED);
    end_ = at;
}

// Extends the piece by letters and marks. Most words are of a few plain letters, which are seen at a glance: a loop
// whose end the processor cannot foresee costs more than all else here.
void Splitter::take_word() {
    const int plain = plain_letters(kinds_ + begin_);
    const size_t stop = begin_ + static_cast<size_t>(plain);
    if (plain < 8 && (stop >= size_ || !(kinds_[stop] & (LETTER | MARK)))) {
        end_ = std::min(stop, size_);
        if (end_ > begin_) return;
    }
    take(MAX_PIECE_CHARS, [](uint8_t kind) { return kind & (LETTER | MARK) && !(kind & HAN); });
}

bool Splitter::next() {
    for (begin_ = end_; begin_ < size_; begin_ = end_) {
        const uint8_t kind = kinds_[begin_];
        if (is_not(begin_)) {
            end_ = begin_ + 3;
        } else if (const size_t length = contraction(begin_)) {
            end_ = begin_ + length;
        } else if (kind & HAN) {
            take(max_han_, [](uint8_t other) { return other & HAN; });
        } else if (kind & (LETTER | MARK)) {
            take_word();
            // "n't" has a sign inside: if one begins in this word, it does so with the last letter.
            if (end_ < size_ && bytes_[end_] == '\'' && is_not(end_ - 1)) --end_;
        } else if (kind & NUMBER) {
            take(MAX_SIGNS, [](uint8_t other) { return other & NUMBER; });
        } else if (!(kind & SPACE)) {
            take(MAX_SIGNS, [](uint8_t other) { return !(other & (SPACE | LETTER | MARK | NUMBER)); });
        } else {
            take(1, [](uint8_t) { return true; });
            continue;
        }
        return true;
    }
    return false;
}

}  // namespace sluice

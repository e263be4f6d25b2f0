// Removal of what nobody sees, Unicode NFKC, plain apostrophes, lower case and shortening, in one pass.
//
// NFKC of a text is that of its characters, one after another, as long as each of them has a normal form that begins
// with a character which is no combining mark and never melts into one before it. Then nothing is reordered or composed
// across characters (Unicode Standard Annex 15, on boundaries). One exception is common enough to be told apart: a
// single mark that melts into nothing stays where it is. All else is for the reference.

#include "text_normalize.h"

#include <algorithm>

#include "text_utf8.h"

namespace sluice {
namespace {

constexpr uint8_t ANY_RUN = 255;
constexpr uint32_t NO_CHARACTER = ~0u;

// Writes characters, but not those that make a run too long.
class Writer {
  public:
    Writer(Normal &normal, size_t room, const uint8_t *longest_run) : normal_(normal), longest_run_(longest_run) {
        reserve(room);
    }
    ~Writer() { normal_.size = size_; }
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;

    // Room for so many bytes more.
    void reserve(size_t room) {
        const size_t wanted = size_ + room + Normal::MARGIN;
        if (wanted > normal_.bytes.size()) {
            const size_t grown = std::max(wanted, 2 * normal_.bytes.size());
            normal_.bytes.resize(grown);
            normal_.kinds.resize(grown);
        }
        bytes_ = normal_.bytes.data();
        kinds_ = normal_.kinds.data();
    }

    // A character of one byte, or of the bytes given; there is room for them.
    void put(uint8_t byte, uint8_t kind) {
        if (is_too_many(byte, kind)) return;
        bytes_[size_] = byte;
        kinds_[size_++] = kind;
    }

    void put(uint32_t code, uint8_t kind, const uint8_t *bytes, int length) {
        if (is_too_many(code, kind)) return;
        for (int i = 0; i < length; ++i) {
            bytes_[size_] = bytes[i];
            kinds_[size_++] = static_cast<uint8_t>(i ? kind | Normal::CONTINUED : kind);
        }
    }

  private:
    bool is_too_many(uint32_t code, uint8_t kind) {
        if (code != last_) {
            last_ = code;
            run_ = 1;
            return false;
        }
        return ++run_ > longest_run_[kind] && longest_run_[kind] != ANY_RUN;
    }

    Normal &normal_;
    const uint8_t *longest_run_;
    uint8_t *bytes_ = nullptr, *kinds_ = nullptr;
    size_t size_ = 0;
    uint32_t last_ = NO_CHARACTER;
    int64_t run_ = 0;
};

}  // namespace

Normalizer::Normalizer(bool cleans) : unicode_(Unicode::get()), cleans_(cleans) {
    for (uint32_t code = 0; code < 128; ++code) {
        const Character character = unicode_[code];
        const uint32_t mapped = character.mapping ? unicode_.mapped(character)[1] : code;
        const auto kind = static_cast<uint8_t>(character.kind & (Normal::KINDS | INVISIBLE));
        ascii_[code] = {static_cast<uint8_t>(mapped), kind};
    }
    for (int kind = 0; kind <= Normal::KINDS; ++kind) {
        const bool is_sign = !(kind & (LETTER | MARK | NUMBER | SPACE));
        longest_run_[kind] = !cleans ? ANY_RUN : kind & LETTER ? 2 : is_sign ? 3 : ANY_RUN;
    }
}

bool Normalizer::normalize(const uint8_t *at, const uint8_t *end, Normal &normal) const {
    Writer writer(normal, static_cast<size_t>(end - at), longest_run_);
    uint16_t before = SPACE;  // kind of the character before, removed or not; the start of a text is like white space
    bool after_mark = false;
    while (at < end) {
        if (*at < 0x80) {
            const Ascii ascii = ascii_[*at++];
            before = ascii.kind;
            if (ascii.kind & INVISIBLE && cleans_) continue;
            after_mark = false;
            writer.put(ascii.byte, ascii.kind & Normal::KINDS);
            continue;
        }
        uint32_t code;
        const int length = decode(at, end, code);
        if (!length) return false;
        const uint8_t *bytes = at;
        at += length;
        const Character character = unicode_[code];
        const uint16_t kind = character.kind;
        const bool removed = cleans_ && is_removed(code, kind, before, at, end);
        before = kind;
        if (removed) continue;
        if (kind & UNSURE || (kind & LONE && after_mark)) return false;
        after_mark = kind & (LONE | TRAILED);
        if (!character.mapping) {
            writer.put(code, kind & Normal::KINDS, bytes, length);
            continue;
        }
        const uint32_t *mapped = unicode_.mapped(character);
        writer.reserve(4 * static_cast<size_t>(mapped[0]) + static_cast<size_t>(end - at));
        for (uint32_t i = 1; i <= mapped[0]; ++i) {
            uint8_t encoded[4];
            const int size = encode(mapped[i], encoded);
            writer.put(mapped[i], unicode_[mapped[i]].kind & Normal::KINDS, encoded, size);
        }
    }
    return true;
}

// As INVISIBLE in `model/tokenizer.py`; `after` points to the next character.
bool Normalizer::is_removed(uint32_t code, uint16_t kind, uint16_t before, const uint8_t *after,
                            const uint8_t *end) const {
    if (code == ZERO_WIDTH_NON_JOINER) return !(before & JOINED);
    if (code != ZERO_WIDTH_JOINER) return kind & INVISIBLE;
    uint32_t next;
    if (!(before & (JOINED | EMOJI)) || after == end || !decode(after, end, next)) return true;
    return !(unicode_[next].kind & (JOINED | EMOJI));
}

}  // namespace sluice

// Normal form of a text: the first step of `model/tokenizer.py`, on all text that needs no look at its neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "text_unicode.h"

namespace sluice {

// A normalised text: its UTF-8, and for each byte the kind of the character that it is of.
struct Normal {
    static constexpr uint8_t KINDS = LETTER | MARK | NUMBER | SPACE | HAN;
    static constexpr uint8_t CONTINUED = 0x80;  // not the first byte of its character
    static constexpr size_t MARGIN = 8;         // bytes that can be read behind the last one, whatever they are

    std::vector<uint8_t> bytes, kinds;
    size_t size = 0;
};

class Normalizer {
  public:
    // cleans: removes what nobody sees, and shortens what is lengthened, as `build_tokenizer` does.
    explicit Normalizer(bool cleans);

    // Puts the normal form into `normal`, in place of what it held. False if the reference must say what it is, or
    // if the bytes are not UTF-8.
    bool normalize(const uint8_t *at, const uint8_t *end, Normal &normal) const;

  private:
    struct Ascii {
        uint8_t byte, kind;
    };

    bool is_removed(uint32_t code, uint16_t kind, uint16_t before, const uint8_t *after, const uint8_t *end) const;

    const Unicode &unicode_;
    const bool cleans_;
    Ascii ascii_[128];
    uint8_t longest_run_[Normal::KINDS + 1];
};

}  // namespace sluice

// Properties of characters that the text pipeline asks for, as the `tokenizers` library sees them.
#pragma once

#include <cstdint>
#include <vector>

namespace sluice {

// Bits of `Character::kind`; `model/engine/unicode_tables.py` has the same numbers and says where each comes from.
enum Kind : uint16_t {
    LETTER = 1 << 0,
    MARK = 1 << 1,
    NUMBER = 1 << 2,
    SPACE = 1 << 3,
    HAN = 1 << 4,
    INVISIBLE = 1 << 5,  // goes away where the pipeline removes what nobody sees
    JOINED = 1 << 6,     // of a script in whose words joiners make a difference
    EMOJI = 1 << 7,      // between two of which a zero-width joiner stays
    UNSURE = 1 << 8,     // its normal form depends on what stands beside it
    LONE = 1 << 9,       // a combining mark that is as it is, unless a second one stands beside it
    TRAILED = 1 << 10,   // its normal form ends in a combining mark
};

constexpr uint32_t ZERO_WIDTH_NON_JOINER = 0x200C, ZERO_WIDTH_JOINER = 0x200D;

struct Character {
    uint16_t kind;
    uint16_t mapping;  // place in `Unicode::mapped` of how many characters stand for this one, and of them; 0: itself
};

// All of Unicode: a block of 256 characters that are alike is stored once.
class Unicode {
  public:
    static const Unicode &get();

    // Any number up to 0x10FFFF, which is as far as `decode` goes.
    Character operator[](uint32_t code) const { return characters_[blocks_[code >> 8] << 8 | (code & 255)]; }

    const uint32_t *mapped(Character character) const { return mapped_ + character.mapping; }

  private:
    Unicode();
    const uint32_t *mapped_;
    std::vector<uint32_t> blocks_;
    std::vector<Character> characters_;
};

}  // namespace sluice

// Spreads the ranges of the generated table out, so that a look-up is two loads.

#include "text_unicode.h"

#include <cstddef>
#include <iterator>
#include <map>

namespace sluice {
namespace {

struct Range {  // characters up to `last`, from where the range before ends
    uint32_t last;
    uint16_t kind;
};

struct Mapping {
    uint32_t code;
    uint16_t place;  // in MAPPED
};

#include "text_unicode.inc"

constexpr uint32_t BLOCK = 256, NUM_BLOCKS = 0x110000 / BLOCK;

}  // namespace

const Unicode &Unicode::get() {
    static const Unicode unicode;
    return unicode;
}

Unicode::Unicode() : mapped_(MAPPED), blocks_(NUM_BLOCKS) {
    std::map<uint16_t, uint32_t> uniform;  // block of characters that are all of this kind and stand for themselves
    size_t range = 0, mapping = 0;
    for (uint32_t block = 0; block < NUM_BLOCKS; ++block) {
        const uint32_t first = block * BLOCK, last = first + BLOCK - 1;
        const bool has_mapping = mapping < std::size(MAPPINGS) && MAPPINGS[mapping].code <= last;
        const bool alike = RANGES[range].last >= last && !has_mapping;
        const auto next = static_cast<uint32_t>(characters_.size() / BLOCK);
        blocks_[block] = next;
        if (alike) {
            const auto [found, is_new] = uniform.emplace(RANGES[range].kind, next);
            blocks_[block] = found->second;
            if (!is_new) {
                if (RANGES[range].last == last) ++range;
                continue;
            }
        }
        for (uint32_t code = first; code <= last; ++code) {
            Character character{RANGES[range].kind, 0};
            const bool is_mapped = mapping < std::size(MAPPINGS) && MAPPINGS[mapping].code == code;
            if (is_mapped) character.mapping = MAPPINGS[mapping++].place;
            characters_.push_back(character);
            if (RANGES[range].last == code) ++range;
        }
    }
}

}  // namespace sluice

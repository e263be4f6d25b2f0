#include "text_letters.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "text_utf8.h"

namespace sluice {
namespace {

constexpr char END_OF_WORD[] = "</w>";
constexpr auto SUFFIX = static_cast<std::ptrdiff_t>(sizeof END_OF_WORD - 1);
constexpr int16_t NO_BYTE = -1;

bool is_visible(uint32_t byte) { return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD); }

}  // namespace

ByteLetters::ByteLetters() {
    std::fill(std::begin(bytes_), std::end(bytes_), NO_BYTE);
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) bytes_[is_visible(byte) ? byte : next++] = static_cast<int16_t>(byte);
}

bool ByteLetters::parse(const uint8_t *at, const uint8_t *end, Token &token) const {
    token.final = end - at > SUFFIX && !std::memcmp(end - SUFFIX, END_OF_WORD, SUFFIX);
    if (token.final) end -= SUFFIX;
    token.bytes.clear();
    while (at < end) {
        uint32_t code;
        const int length = decode(at, end, code);
        if (!length || code >= NUM_LETTERS || bytes_[code] == NO_BYTE) return false;
        token.bytes.push_back(static_cast<char>(bytes_[code]));
        at += length;
    }
    return !token.bytes.empty();
}

}  // namespace sluice

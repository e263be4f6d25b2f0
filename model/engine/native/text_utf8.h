// UTF-8, read without trust: whatever the bytes are, nothing beyond `end` is touched.
#pragma once

#include <cstdint>

namespace sluice {

inline bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Reads the character at `at` < `end` into `code` and returns how many bytes it has; 0 if they are not UTF-8.
// Source: Unicode Standard 15, table 3-7: no overlong forms, no surrogates, nothing above 10FFFF.
inline int decode(const uint8_t *at, const uint8_t *end, uint32_t &code) {
    const uint8_t first = *at;
    if (first < 0x80) {
        code = first;
        return 1;
    }
    const auto left = end - at;
    if (first < 0xE0) {
        if (first < 0xC2 || left < 2 || !is_continuation(at[1])) return 0;
        code = (first & 0x1Fu) << 6 | (at[1] & 0x3Fu);
        return 2;
    }
    if (first < 0xF0) {
        if (left < 3 || !is_continuation(at[1]) || !is_continuation(at[2])) return 0;
        code = (first & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
        return code < 0x800 || (code >= 0xD800 && code < 0xE000) ? 0 : 3;
    }
    if (first > 0xF4 || left < 4) return 0;
    if (!is_continuation(at[1]) || !is_continuation(at[2]) || !is_continuation(at[3])) return 0;
    code = (first & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
    return code < 0x10000 || code > 0x10FFFF ? 0 : 4;
}

// Writes a character, up to four bytes, and returns how many they are.
inline int encode(uint32_t code, uint8_t *out) {
    if (code < 0x80) {
        out[0] = static_cast<uint8_t>(code);
        return 1;
    }
    if (code < 0x800) {
        out[0] = static_cast<uint8_t>(0xC0 | code >> 6);
        out[1] = static_cast<uint8_t>(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = static_cast<uint8_t>(0xE0 | code >> 12);
        out[1] = static_cast<uint8_t>(0x80 | (code >> 6 & 0x3F));
        out[2] = static_cast<uint8_t>(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = static_cast<uint8_t>(0xF0 | code >> 18);
    out[1] = static_cast<uint8_t>(0x80 | (code >> 12 & 0x3F));
    out[2] = static_cast<uint8_t>(0x80 | (code >> 6 & 0x3F));
    out[3] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    return 4;
}

// The place behind the next `characters` characters, or `end`.
inline const uint8_t *skip(const uint8_t *at, const uint8_t *end, int64_t characters) {
    for (; characters > 0 && at < end; --characters) {
        ++at;
        while (at < end && is_continuation(*at)) ++at;
    }
    return at;
}

}  // namespace sluice

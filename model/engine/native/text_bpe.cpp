// Merging takes the pair that was learned first, again and again. Where no merge reaches across a place in the piece,
// both sides are encoded as if alone; so a row of tokens is the encoding if and only if each is the encoding of its own
// bytes and no two neighbours would have merged otherwise than they are (`stay_apart`). From left to right the longest
// token that fits is taken; if no token fits, the one before it is made shorter. Places found to lead nowhere are not
// tried again, so the time is linear in the length of the piece.
//
// The argument needs merges to be in the order in which they were learned, each making a new token of tokens that are
// there; `make` sees to it. Source: README of GitHub's crate `bpe` (github/rust-gems, 2024).

#include "text_bpe.h"

#include <algorithm>
#include <bitset>
#include <cstring>
#include <limits>

namespace sluice {
namespace {

constexpr int32_t NEVER = std::numeric_limits<int32_t>::max();
constexpr int FILTER_BITS = 18;  // 32 KB

uint64_t key_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}

uint64_t hash_of(uint64_t key) { return (key ^ key >> 29) * 0x9E3779B97F4A7C15ull; }

// Size of a table of open addressing: a power of two, at most half of it used.
size_t room_for(int64_t entries) {
    size_t size = 1024;
    while (size < 2 * static_cast<size_t>(entries)) size *= 2;
    return size;
}

size_t filter_bit(uint64_t hash) { return hash >> (64 - FILTER_BITS); }

// The bytes of a short word, with zeros behind; so many can be read there, whatever they are.
uint64_t key_of(const uint8_t *piece, int size) {
    constexpr int longest = Vocabulary::MAX_WORD;
    static constexpr uint8_t kept[2 * longest] = {255, 255, 255, 255, 255, 255, 255, 255};
    uint64_t bytes, mask;
    std::memcpy(&bytes, piece, sizeof bytes);
    std::memcpy(&mask, kept + longest - size, sizeof mask);
    return bytes & mask;
}

}  // namespace

// Whether the first tokens are all bytes in both forms, and each merge makes the next of two that are there.
bool Vocabulary::is_in_order(const std::vector<Token> &tokens, const std::vector<Merge> &merges) {
    constexpr size_t NUM_BYTES = 2 * 256;
    if (tokens.size() != NUM_BYTES + merges.size()) return false;
    std::bitset<NUM_BYTES> seen;
    for (size_t id = 0; id < NUM_BYTES; ++id) {
        if (tokens[id].bytes.size() != 1) return false;
        seen.set(static_cast<uint8_t>(tokens[id].bytes[0]) + 256u * tokens[id].final);
    }
    for (size_t id = NUM_BYTES; id < tokens.size(); ++id) {
        const auto left = static_cast<size_t>(merges[id - NUM_BYTES].left);
        const auto right = static_cast<size_t>(merges[id - NUM_BYTES].right);
        if (left >= id || right >= id || tokens[left].final || tokens[id].final != tokens[right].final) return false;
        if (tokens[id].bytes != tokens[left].bytes + tokens[right].bytes) return false;
    }
    return seen.all();
}

std::unique_ptr<Vocabulary> Vocabulary::make(const std::vector<Token> &tokens, const std::vector<Merge> &merges) {
    if (!is_in_order(tokens, merges)) return nullptr;
    std::unique_ptr<Vocabulary> made(new Vocabulary(tokens));
    const auto is_word = [](const Token &token) { return token.final && token.bytes.size() <= MAX_WORD; };
    made->words_.assign(room_for(std::count_if(tokens.begin(), tokens.end(), is_word)), {0, 0, NO_TOKEN});
    for (const Token &token : tokens)
        if (is_word(token)) made->add_word(token);
    made->pairs_.assign(room_for(static_cast<int64_t>(merges.size())), NO_TOKEN);
    made->may_merge_.assign((1u << FILTER_BITS) / 64, 0);
    const auto num_bytes = static_cast<int32_t>(tokens.size() - merges.size());
    for (int32_t id = 0; id < num_bytes; ++id) made->parts_.push_back({id, id, 1});
    for (const auto [left, right] : merges) {
        // The token must be the encoding of its own bytes: its halves come together before anything else can.
        if (made->merged(left, right) != NO_TOKEN || !made->stay_apart(left, right, NEVER)) return nullptr;
        made->parts_.push_back({left, right, made->parts_[left].length + made->parts_[right].length});
        made->add_pair(left, right, static_cast<int32_t>(made->parts_.size()) - 1);
    }
    return made;
}

void Vocabulary::add_word(const Token &token) {
    const auto size = static_cast<int32_t>(token.bytes.size());
    uint8_t bytes[MAX_WORD] = {};
    std::copy_n(token.bytes.begin(), size, bytes);
    const uint64_t key = key_of(bytes, size);
    size_t at = hash_of(key + static_cast<uint64_t>(size)) >> 20 & (words_.size() - 1);
    while (words_[at].size) at = (at + 1) & (words_.size() - 1);
    words_[at] = {key, size, token.id};
}

// The token that is a whole piece of up to MAX_WORD bytes; NO_TOKEN if none is.
int32_t Vocabulary::word(const uint8_t *piece, int size) const {
    const uint64_t key = key_of(piece, size);
    size_t at = hash_of(key + static_cast<uint64_t>(size)) >> 20 & (words_.size() - 1);
    for (; words_[at].size; at = (at + 1) & (words_.size() - 1))
        if (words_[at].key == key && words_[at].size == size) return words_[at].id;
    return NO_TOKEN;
}

void Vocabulary::add_pair(int32_t left, int32_t right, int32_t merged) {
    const uint64_t hash = hash_of(key_of(left, right));
    const size_t bit = filter_bit(hash);
    may_merge_[bit / 64] |= 1ull << bit % 64;
    size_t at = hash >> 20 & (pairs_.size() - 1);
    while (pairs_[at] != NO_TOKEN) at = (at + 1) & (pairs_.size() - 1);
    pairs_[at] = merged;
}

// The token that a merge makes of two; NO_TOKEN if none does.
int32_t Vocabulary::merged(int32_t left, int32_t right) const {
    const uint64_t hash = hash_of(key_of(left, right));
    const size_t bit = filter_bit(hash);
    if (!(may_merge_[bit / 64] >> bit % 64 & 1)) return NO_TOKEN;
    for (size_t at = hash >> 20 & (pairs_.size() - 1); pairs_[at] != NO_TOKEN; at = (at + 1) & (pairs_.size() - 1)) {
        const Part &part = parts_[pairs_[at]];
        if (part.left == left && part.right == right) return pairs_[at];
    }
    return NO_TOKEN;
}

// True if merging the bytes of both together ends in these two tokens. Undoes the merges inside of both, the last one
// first; whenever the tokens at the seam could have merged before the merge that was undone, they would have.
// limit: only merges into tokens below it count.
bool Vocabulary::stay_apart(int32_t left, int32_t right, int32_t limit) const {
    for (;;) {
        const int32_t together = merged(left, right);
        if (together != NO_TOKEN && together < limit) return false;
        const Part &of_left = parts_[left], &of_right = parts_[right];
        if (left > right) {
            if (of_left.length > 1) {
                limit = left;
                left = of_left.right;
            } else if (of_right.length > 1) {
                limit = right + 1;
                right = of_right.left;
            } else {
                return true;
            }
        } else if (of_right.length > 1) {
            // Of two merges of the same kind the left one is first, so at the seam an equal one would come before.
            limit = right + 1;
            right = of_right.left;
        } else if (of_left.length > 1) {
            limit = left;
            left = of_left.right;
        } else {
            return true;
        }
    }
}

int Vocabulary::encode(const uint8_t *piece, int size, int32_t *ids) const {
    if (size <= MAX_WORD && (ids[0] = word(piece, size)) != NO_TOKEN) return 1;
    Trie::Match next = trie_.longest(piece, size);
    if (next.length == size) {
        ids[0] = next.token;
        return 1;
    }
    std::bitset<MAX_PIECE_BYTES + 1> dead;  // places where no token can begin, whatever stands before
    int num_ids = 0, at = 0;
    while (at < size) {
        const bool fits = !dead[at + next.length] && (num_ids == 0 || stay_apart(ids[num_ids - 1], next.token, NEVER));
        if (fits) {
            ids[num_ids++] = next.token;
            at += next.length;
            if (at < size) next = trie_.longest(piece + at, size - at);
            continue;
        }
        next = trie_.shorter(piece + at, next.length);
        if (next.token != NO_TOKEN) continue;
        if (num_ids == 0) return 0;
        dead.set(at);
        const int32_t last = ids[--num_ids];
        at -= parts_[last].length;
        next = {last, parts_[last].length};
    }
    return num_ids;
}

}  // namespace sluice

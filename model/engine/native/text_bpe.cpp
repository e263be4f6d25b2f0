// Merging takes the pair that was learned first, again and again. Where no merge reaches across a place in the piece, both
// sides are encoded as if alone; so a row of tokens is the encoding if and only if each is the encoding of its own bytes
// and no two neighbours would have merged otherwise than they are (`stay_apart`). From left to right the longest token
// that fits is taken; if no token fits, the one before it is made shorter. Places found to lead nowhere are not tried
// again, so the time is linear in the length of the piece.
//
// The argument needs merges to be in the order in which they were learned, each making a new token of tokens that are
// there; `make` sees to it. Source: H. Liljencrantz, A. Neubeck: "So many tokens, so little time", GitHub, 2024.

#include "text_bpe.h"

#include <bitset>
#include <limits>

namespace sluice {
namespace {

constexpr int32_t NEVER = std::numeric_limits<int32_t>::max();
constexpr uint64_t EMPTY = ~0ull;
constexpr int FILTER_BITS = 19;  // 64 KB

uint64_t key_of(int32_t left, int32_t right) { return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right); }

uint64_t hash_of(uint64_t key) {
    key *= 0x9E3779B97F4A7C15ull;
    key ^= key >> 32;
    return key * 0xD6E8FEB86659FD93ull;
}

}  // namespace

std::unique_ptr<Vocabulary> Vocabulary::make(std::vector<Token> tokens, const std::vector<Merge> &merges) {
    const auto num_tokens = static_cast<int32_t>(tokens.size()), num_merges = static_cast<int32_t>(merges.size());
    const int32_t num_bytes = num_tokens - num_merges;
    if (num_bytes != 2 * 256) return nullptr;
    std::bitset<2 * 256> seen;
    for (int32_t id = 0; id < num_bytes; ++id) {
        if (tokens[id].bytes.size() != 1) return nullptr;
        seen.set(static_cast<uint8_t>(tokens[id].bytes[0]) + 256u * tokens[id].final);
    }
    if (!seen.all()) return nullptr;
    for (int32_t k = 0; k < num_merges; ++k) {
        const int32_t id = num_bytes + k;
        const auto [left, right] = merges[k];
        if (left < 0 || right < 0 || left >= id || right >= id || tokens[left].final) return nullptr;
        if (tokens[id].bytes != tokens[left].bytes + tokens[right].bytes || tokens[id].final != tokens[right].final) return nullptr;
    }
    std::unique_ptr<Vocabulary> made(new Vocabulary(tokens));
    for (int32_t id = 0; id < num_bytes; ++id) made->parts_.push_back({id, id, 1});
    size_t size = 1024;
    while (size < 2 * merges.size()) size *= 2;
    made->pairs_.assign(size, {EMPTY, NO_TOKEN});
    made->may_merge_.assign((1u << FILTER_BITS) / 64, 0);
    for (int32_t k = 0; k < num_merges; ++k) {
        const auto [left, right] = merges[k];
        const int32_t id = num_bytes + k;
        // The token must be the encoding of its own bytes: its halves come together before anything else can.
        if (made->merged(left, right) != NO_TOKEN || !made->stay_apart(left, right, NEVER)) return nullptr;
        made->parts_.push_back({left, right, static_cast<int32_t>(tokens[id].bytes.size())});
        made->add_pair(left, right, id);
    }
    return made;
}

void Vocabulary::add_pair(int32_t left, int32_t right, int32_t merged) {
    const uint64_t key = key_of(left, right), hash = hash_of(key);
    const uint64_t bit = hash >> (64 - FILTER_BITS);
    may_merge_[bit / 64] |= 1ull << bit % 64;
    size_t at = hash & (pairs_.size() - 1);
    while (pairs_[at].key != EMPTY) at = (at + 1) & (pairs_.size() - 1);
    pairs_[at] = {key, merged};
}

// The token that a merge makes of two; NO_TOKEN if none does.
int32_t Vocabulary::merged(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right), hash = hash_of(key);
    const uint64_t bit = hash >> (64 - FILTER_BITS);
    if (!(may_merge_[bit / 64] >> bit % 64 & 1)) return NO_TOKEN;
    for (size_t at = hash & (pairs_.size() - 1); pairs_[at].key != EMPTY; at = (at + 1) & (pairs_.size() - 1))
        if (pairs_[at].key == key) return pairs_[at].merged;
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

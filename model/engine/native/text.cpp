// From texts to token ids: what `model/native_text.py` calls. A pipeline never changes after it is made, so any number
// of threads may share one.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <numeric>
#include <utility>
#include <vector>

#include "text_bpe.h"
#include "text_letters.h"
#include "text_normalize.h"
#include "text_split.h"
#include "text_utf8.h"

namespace {

using namespace sluice;

enum Option : int32_t { CLEANS = 1, CHINESE_WORDS = 2 };

enum Outcome : uint8_t { WHOLE = 0, TRUNCATED = 1, FOR_REFERENCE = 2 };

constexpr int64_t STRETCH = 1024;  // bytes, and up to the next blank, that are normalised at once: a text may end soon

// Where the next stretch ends. At a blank or line break no rule of the pipeline sees what is on the other side.
const uint8_t *end_of_stretch(const uint8_t *at, const uint8_t *end) {
    if (end - at <= STRETCH) return end;
    return std::find_if(at + STRETCH, end, [](uint8_t byte) { return byte == ' ' || byte == '\n'; });
}

}  // namespace

struct SluiceText {
    SluiceText(std::unique_ptr<Vocabulary> made, int32_t options)
        : vocabulary(std::move(made)), normalizer(options & CLEANS), chinese_words(options & CHINESE_WORDS) {}

    const std::unique_ptr<const Vocabulary> vocabulary;
    const Normalizer normalizer;
    const bool chinese_words;

    // Writes the ids of one text; `ids` has room for `limit` of them, of which `size` are used.
    Outcome encode(const uint8_t *at, const uint8_t *end, int64_t limit, int64_t max_tokens, Normal &normal,
                   int32_t *ids, int64_t &size) const {
        for (size = 0; at < end;) {
            const uint8_t *stop = end_of_stretch(at, end);
            if (!normalizer.normalize(at, stop, normal)) return FOR_REFERENCE;
            at = stop;
            Splitter splitter(normal, chinese_words);
            while (splitter.next()) {
                if (splitter.length() <= std::min(limit, max_tokens) - size) {
                    const int num_found = vocabulary->encode(splitter.piece(), splitter.length(), ids + size);
                    if (num_found == 0) return FOR_REFERENCE;
                    size += num_found;
                    continue;
                }
                int32_t found[MAX_PIECE_BYTES];
                const int64_t num_found = vocabulary->encode(splitter.piece(), splitter.length(), found);
                if (num_found == 0) return FOR_REFERENCE;
                const int64_t kept = std::min(num_found, max_tokens - size);
                if (size + kept > limit) return FOR_REFERENCE;
                std::copy_n(found, kept, ids + size);
                size += kept;
                if (kept < num_found) return TRUNCATED;
            }
        }
        return WHOLE;
    }
};

extern "C" {

// So that the caller can tell whether it knows these functions; VERSION of `model/native_text.py`.
int sluice_text_version() { return 2; }

// Makes a pipeline; null if its vocabulary is not of the kind that this code knows, or is too large.
// letters: the tokens in the order of their ids; token i is letters[starts[i]] to letters[starts[i + 1] - 1].
// merges: pairs of ids, [num_merges][2].
SluiceText *sluice_text_open(const uint8_t *letters, const int64_t *starts, int64_t num_tokens, const int32_t *merges,
                             int64_t num_merges, int32_t options) try {
    const ByteLetters byte_letters;
    std::vector<Token> tokens(static_cast<size_t>(num_tokens));
    for (int64_t i = 0; i < num_tokens; ++i) {
        Token &token = tokens[static_cast<size_t>(i)];
        token.id = static_cast<int32_t>(i);
        if (!byte_letters.parse(letters + starts[i], letters + starts[i + 1], token)) return nullptr;
    }
    std::vector<Merge> pairs(static_cast<size_t>(num_merges));
    if (num_merges) std::memcpy(pairs.data(), merges, pairs.size() * sizeof(Merge));
    auto vocabulary = Vocabulary::make(tokens, pairs);
    return vocabulary ? new SluiceText(std::move(vocabulary), options) : nullptr;
} catch (const std::exception &) {
    return nullptr;
}

void sluice_text_close(SluiceText *text) { delete text; }

// Token ids of many texts; returns which outcomes there were besides WHOLE, as bits, or -1 if there is no memory.
// utf8: the texts one after another, `size` bytes. characters: how many characters each has, [num_texts].
// ids: room for `size`; the ids of all texts, one after another. starts [num_texts + 1]: where each text's begin.
// outcomes [num_texts]: WHOLE, TRUNCATED, or FOR_REFERENCE, with no ids.
int sluice_text_encode(const SluiceText *text, const uint8_t *utf8, int64_t size, const int64_t *characters,
                       int64_t num_texts, int64_t max_tokens, int32_t *ids, int64_t *starts, int64_t *outcomes) try {
    Normal normal;
    const uint8_t *at = utf8, *const end = utf8 + size;
    const bool is_ascii = std::accumulate(characters, characters + num_texts, int64_t{0}) == size;
    int found = WHOLE;
    starts[0] = 0;
    for (int64_t i = 0; i < num_texts; ++i) {
        const uint8_t *stop = is_ascii ? at + characters[i] : skip(at, end, characters[i]);
        int64_t num_ids = 0;
        const Outcome outcome = text->encode(at, stop, stop - at, max_tokens, normal, ids + starts[i], num_ids);
        starts[i + 1] = starts[i] + (outcome == FOR_REFERENCE ? 0 : num_ids);
        outcomes[i] = outcome;
        found |= outcome;
        at = stop;
    }
    return found;
} catch (const std::bad_alloc &) {
    return -1;
}
}

// The kernel for AMX with 8-bit integers, whose gates are those of AVX-512; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__linux__) && defined(__AMX_INT8__) && defined(__AMX_TILE__) && defined(__AVX512VNNI__) && defined(__AVX512DQ__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "amx_products.h"
#include "attention_kernel.h"
#include "fixed_kernel.h"

namespace sluice {
namespace {

// The tiles' state is so large that Linux keeps it for a process only after it has asked.
bool permitted() {
    constexpr long ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

template <class Tiles>
void example(__m512i (&sums)[GATES]) {
    constexpr int DEPTH = TILE_BYTES + BLOCK_UNITS;  // a whole tile and a part of one
    alignas(64) int8_t weights[DEPTH * GATES * BLOCK_UNITS];
    alignas(64) int32_t offsets[GATES * BLOCK_UNITS];
    alignas(64) uint8_t states[BLOCK_ROWS * DEPTH];
    for (int n = 0; n < DEPTH * GATES * BLOCK_UNITS; ++n) weights[n] = static_cast<int8_t>(n * 37 % 255 - 127);
    for (int n = 0; n < GATES * BLOCK_UNITS; ++n) offsets[n] = 1000 * n;
    for (int n = 0; n < BLOCK_ROWS * DEPTH; ++n) states[n] = static_cast<uint8_t>(n * 53);
    Direction direction{};
    direction.weights = weights;
    direction.offsets = offsets;
    PairTile tile{};
    tile.direction = &direction;
    tile.depth = DEPTH;
    tile.bytes = states;
    Matrix<Tiles>::begin(DEPTH);
    Matrix<Tiles>::row_sums(tile, sums);
    Matrix<Tiles>::end();
}

// Compares one product with the scalar one before this kernel answers for a network.
bool agrees() {
    __m512i ours[GATES], expected[GATES];
    example<AmxTiles>(ours);
    example<ScalarTiles>(expected);
    return __builtin_memcmp(ours, expected, sizeof ours) == 0;
}

bool supported() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned TILE = 1u << 24, INT8 = 1u << 25;  // leaf 7, EDX
    static const bool there = Avx512::supported() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & TILE) && (d & INT8) &&
                              permitted() && agrees();
    return there;
}

}  // namespace

const Kernel amx_kernel{"amx", supported, run_fixed<Matrix<AmxTiles>>, attend<Avx512>, fixed_sums<Matrix<AmxTiles>>, dot<Avx512>};

}  // namespace sluice

#else  // another system or processor, or a compiler without the instruction set

namespace sluice {
const Kernel amx_kernel{"amx", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

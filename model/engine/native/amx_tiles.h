// Tiles of AMX (Intel since Sapphire Rapids): eight registers of up to 16 rows of 64 bytes, by the few operations that
// amx_products.h needs. `AmxTiles` has the instructions, `ScalarTiles` does the same in portable C++: for tests, on
// processors without AMX. It ends the program where the instructions would fault.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {
namespace {

constexpr int TILES = 8, TILE_ROWS = 16, TILE_BYTES = 64;

// As `ldtilecfg` reads it.
struct alignas(64) TileShapes {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};

    void set(int tile, int num_rows, int num_bytes) {
        rows[tile] = static_cast<uint8_t>(num_rows);
        row_bytes[tile] = static_cast<uint16_t>(num_bytes);
    }
};
static_assert(sizeof(TileShapes) == 64, "the processor reads 64 bytes");

#if defined(__AMX_INT8__) && defined(__AMX_TILE__)

// Written as assembler, because GCC 12's intrinsics do not say that they read and write memory.
struct AmxTiles {
    static void configure(const TileShapes &shapes) { __asm__ volatile("ldtilecfg %0" : : "m"(shapes) : "memory"); }
    static void release() { __asm__ volatile("tilerelease" : : : "memory"); }
    // Rows lie `apart` bytes apart in memory; 0 reads the same row for all.
    template <int Tile>
    static void load(const void *from, size_t apart) {
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(apart), "i"(Tile) : "memory");
    }
    template <int Tile>
    static void store(void *to, size_t apart) {
        __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(apart), "i"(Tile) : "memory");
    }
    // Adds to 32-bit sums [row][column] the products of bytes without a sign [row][k] and with one [k / 4][column][4].
    template <int Sums, int States, int Weights>
    static void dot() {
        __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(States), "i"(Weights));
    }
};

#endif

struct ScalarTiles {
    static void configure(const TileShapes &wanted) {
        for (int tile = 0; tile < 16; ++tile) {
            const bool fits = tile < TILES && wanted.rows[tile] <= TILE_ROWS && wanted.row_bytes[tile] <= TILE_BYTES;
            check(fits || (wanted.rows[tile] == 0 && wanted.row_bytes[tile] == 0));
            check((wanted.rows[tile] == 0) == (wanted.row_bytes[tile] == 0));
        }
        check(wanted.palette == 1 && wanted.start_row == 0);
        shapes = wanted;
        __builtin_memset(bytes, 0, sizeof bytes);
    }
    static void release() { shapes = TileShapes{}; }
    template <int Tile>
    static void load(const void *from, size_t apart) {
        check(shapes.rows[Tile] > 0);
        for (int row = 0; row < shapes.rows[Tile]; ++row)
            __builtin_memcpy(bytes[Tile][row], static_cast<const char *>(from) + row * apart, shapes.row_bytes[Tile]);
    }
    template <int Tile>
    static void store(void *to, size_t apart) {
        check(shapes.rows[Tile] > 0);
        for (int row = 0; row < shapes.rows[Tile]; ++row)
            __builtin_memcpy(static_cast<char *>(to) + row * apart, bytes[Tile][row], shapes.row_bytes[Tile]);
    }
    template <int Sums, int States, int Weights>
    static void dot() {
        check(shapes.rows[Sums] > 0 && shapes.rows[Sums] == shapes.rows[States]);
        check(shapes.row_bytes[Sums] == shapes.row_bytes[Weights] && shapes.row_bytes[States] == 4 * shapes.rows[Weights]);
        for (int row = 0; row < shapes.rows[Sums]; ++row)
            for (int column = 0; column < shapes.row_bytes[Sums] / 4; ++column) {
                int32_t sum;
                __builtin_memcpy(&sum, bytes[Sums][row] + column * 4, sizeof sum);
                for (int k = 0; k < shapes.row_bytes[States]; ++k)
                    sum += bytes[States][row][k] * static_cast<int8_t>(bytes[Weights][k / 4][column * 4 + k % 4]);
                __builtin_memcpy(bytes[Sums][row] + column * 4, &sum, sizeof sum);
            }
    }

  private:
    static void check(bool allowed) {
        if (!allowed) __builtin_trap();
    }

    static thread_local TileShapes shapes;
    static thread_local uint8_t bytes[TILES][TILE_ROWS][TILE_BYTES];
};

thread_local TileShapes ScalarTiles::shapes;
thread_local uint8_t ScalarTiles::bytes[TILES][TILE_ROWS][TILE_BYTES];

}  // namespace
}  // namespace sluice

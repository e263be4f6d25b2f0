// The kernel for AVX-512 with VNNI; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include "attention_kernel.h"
#include "vectors_avx512.h"

namespace sluice {

const Kernel avx512_kernel{"avx512", Avx512::supported, run<Avx512>, attend<Avx512>, sums<Avx512>, dot<Avx512>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel avx512_kernel{"avx512", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

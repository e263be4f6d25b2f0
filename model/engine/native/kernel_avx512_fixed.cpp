// The kernel for AVX-512 with VNNI whose gates are 16-bit integers; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include "attention_kernel.h"
#include "fixed_kernel.h"
#include "fixed_products.h"

namespace sluice {

const Kernel avx512_fixed_kernel{"avx512-fixed", Avx512::supported, run_fixed<Vnni>,
                                 attend<Avx512>, fixed_sums<Vnni>,  dot<Avx512>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel avx512_fixed_kernel{"avx512-fixed", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

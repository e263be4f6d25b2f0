// The kernel for AMX with its tiles in portable C++, by which it is tested where only AVX-512 is there. Slow.
#include "model.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include "amx_products.h"
#include "attention_kernel.h"
#include "fixed_kernel.h"

namespace sluice {

const Kernel amx_emulated_kernel{"amx-emulated", Avx512::supported,               run_fixed<Matrix<ScalarTiles>>,
                                 attend<Avx512>, fixed_sums<Matrix<ScalarTiles>>, dot<Avx512>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel amx_emulated_kernel{"amx-emulated", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

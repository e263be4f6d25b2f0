// The kernel for AVX2; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "attention_kernel.h"
#include "vectors_avx2.h"

namespace sluice {
namespace {

bool supported() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

}  // namespace

const Kernel avx2_kernel{"avx2", supported, run<Avx2>, attend<Avx2>, sums<Avx2>, dot<Avx2>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel avx2_kernel{"avx2", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

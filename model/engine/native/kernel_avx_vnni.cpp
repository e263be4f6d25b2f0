// The kernel for AVX2 with AVX-VNNI; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__AVXVNNI__) && defined(__AVX2__) && defined(__FMA__)

#include <cpuid.h>

#include "attention_kernel.h"
#include "vectors_avx2.h"

namespace sluice {
namespace {

bool supported() {
    __builtin_cpu_init();
    unsigned a = 0, b = 0, c = 0, d = 0;
    // Not every compiler that knows the instructions knows the name: leaf 7, part 1, bit 4 of EAX.
    const bool vnni = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
    return vnni && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

}  // namespace

const Kernel avx_vnni_kernel{"avx-vnni", supported, run<AvxVnni>, attend<AvxVnni>, sums<AvxVnni>, dot<AvxVnni>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel avx_vnni_kernel{"avx-vnni", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

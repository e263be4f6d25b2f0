// The kernel for 64-bit ARM with products of 8-bit matrices; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "attention_kernel.h"
#include "vectors_neon.h"

namespace sluice {
namespace {

bool supported() {
#if defined(__linux__)
    constexpr unsigned long I8MM = 1ul << 13;  // of the kernel's second word of hardware capabilities
    return getauxval(AT_HWCAP2) & I8MM;
#elif defined(__APPLE__)
    int there = 0;
    size_t size = sizeof there;
    return sysctlbyname("hw.optional.arm.FEAT_I8MM", &there, &size, nullptr, 0) == 0 && there;
#else
    return false;
#endif
}

}  // namespace

const Kernel neon_i8mm_kernel{"neon-i8mm",          supported,        run<NeonMatrix>,
                              attend<NeonMatrix>, sums<NeonMatrix>, dot<NeonMatrix>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel neon_i8mm_kernel{"neon-i8mm", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

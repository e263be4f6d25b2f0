// The kernel for 64-bit ARM with dot products; model/engine/build.py gives the flags.
#include "model.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)

#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "attention_kernel.h"
#include "vectors_neon.h"

namespace sluice {
namespace {

bool supported() {
#if defined(__linux__)
    constexpr unsigned long ASIMDDP = 1ul << 20;  // of the kernel's hardware capabilities
    return getauxval(AT_HWCAP) & ASIMDDP;
#else  // Apple: every processor of its own has them
    return true;
#endif
}

}  // namespace

const Kernel neon_kernel{"neon", supported, run<Neon>, attend<Neon>, sums<Neon>, dot<Neon>};

}  // namespace sluice

#else  // another processor, or a compiler without the instruction set

namespace sluice {
const Kernel neon_kernel{"neon", nullptr, nullptr, nullptr, nullptr, nullptr};
}

#endif

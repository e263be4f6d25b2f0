// The kernel in portable C++: any processor can run it.
#include "attention_kernel.h"
#include "vectors_scalar.h"

namespace sluice {
namespace {

bool supported() { return true; }

}  // namespace

const Kernel scalar_kernel{"scalar", supported, run<Scalar>, attend<Scalar>, sums<Scalar>, dot<Scalar>};

}  // namespace sluice

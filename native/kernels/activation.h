// The activations of a field's hidden layers, over a tile: values in place and, where wanted, slopes beside them.
#pragma once
#include "../kernels.h"
#include "vectorMath.h"

using namespace chladni;

// Value of the activation at z; its derivative too, where wanted.
template <Activation A, bool Derivative>
INLINE vf activate(vf z, float omega, vf* derivative) {
  if constexpr (A == Activation::LeakyRelu) {
    vi positive = z > 0.0f;
    if (Derivative) *derivative = select(positive, splat(1.0f), splat(kLeakySlope));
    return select(positive, z, z * kLeakySlope);
  } else if constexpr (A == Activation::Gelu) {
    // z·Φ(z), Φ the normal distribution function; derivative Φ(z) + z·φ(z).
    vf density = expVector(z * z * -0.5f);
    vf phi = 0.5f + 0.5f * erfVector(z * 0.707106781f, density);
    if (Derivative) *derivative = phi + z * density * 0.398942280f;
    return z * phi;
  } else if constexpr (A == Activation::Sine) {
    vf sine, cosine;
    sinCosVector(z * omega, &sine, &cosine);
    if (Derivative) *derivative = cosine * omega;
    return sine;
  } else if constexpr (A == Activation::Finer) {
    // sin(ω(|z|+1)z); derivative ω(2|z|+1)·cos.
    vf sine, cosine, z1 = absolute(z);
    sinCosVector((z1 + 1.0f) * z * omega, &sine, &cosine);
    if (Derivative) *derivative = cosine * (z1 * 2.0f + 1.0f) * omega;
    return sine;
  } else if constexpr (A == Activation::Gaussian) {
    // exp(−(ωz)²/2); derivative −ω²z times it.
    vf scaled = z * omega;
    vf value = expVector(scaled * scaled * -0.5f);
    if (Derivative) *derivative = -scaled * omega * value;
    return value;
  } else {
    return maximum(z, vf{});
  }
}

template <Activation A, bool Derivative>
static void activateTile(float* h, float* d, int64_t rows, int64_t stride, int64_t width, float omega) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < width; j += W) {
      vf derivative;
      vf value = activate<A, Derivative>(load(h + r * stride + j), omega, &derivative);
      store(h + r * stride + j, value);
      if (Derivative) store(d + r * stride + j, derivative);
    }
}

template <bool D>
static void activateHidden(Activation a, float* h, float* d, int64_t rows, int64_t stride, int64_t width, float omega) {
  switch (a) {
    case Activation::Relu: return;  // done by the product's epilogue
    case Activation::LeakyRelu: return activateTile<Activation::LeakyRelu, D>(h, d, rows, stride, width, omega);
    case Activation::Gelu: return activateTile<Activation::Gelu, D>(h, d, rows, stride, width, omega);
    case Activation::Sine: return activateTile<Activation::Sine, D>(h, d, rows, stride, width, omega);
    case Activation::Finer: return activateTile<Activation::Finer, D>(h, d, rows, stride, width, omega);
    case Activation::Gaussian: return activateTile<Activation::Gaussian, D>(h, d, rows, stride, width, omega);
  }
}

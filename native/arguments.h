// Reads the arguments of a call from JavaScript. Everything is checked here, before any pointer is used.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace chladni {

/// Thrown for whatever a caller got wrong; becomes a TypeError.
struct Invalid : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Product of extents that are each checked to be sizes; throws where it would not fit.
inline int64_t product(std::initializer_list<int64_t> extents) {
  int64_t total = 1;
  for (int64_t extent : extents) {
    if (extent < 0 || __builtin_mul_overflow(total, extent, &total) || total > (int64_t{1} << 40))
      throw Invalid("extents out of range");
  }
  return total;
}

class Arguments {
 public:
  static constexpr size_t kMost = 24;

  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    count_ = kMost;
    if (napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) != napi_ok) throw Invalid("no arguments");
  }

  double number() {
    double value;
    if (napi_get_value_double(env_, next(), &value) != napi_ok) fail("a number");
    return value;
  }

  int64_t integer(int64_t low, int64_t high) {
    const double value = number();
    if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) ||
        value != static_cast<double>(static_cast<int64_t>(value)))
      fail("an integer in range");
    return static_cast<int64_t>(value);
  }

  int64_t size() { return integer(0, int64_t{1} << 40); }

  bool boolean() {
    bool value;
    if (napi_get_value_bool(env_, next(), &value) != napi_ok) fail("a boolean");
    return value;
  }

  std::string string() {
    char text[64];
    size_t length;
    if (napi_get_value_string_utf8(env_, next(), text, sizeof text, &length) != napi_ok) fail("a string");
    return std::string(text, length);
  }

  /// A Float32Array of exactly `length` elements.
  float* floats(int64_t length) { return floatsOf(next(), length); }

  float* floatsOrNull(int64_t length) {
    napi_value value = next();
    napi_valuetype type;
    if (napi_typeof(env_, value, &type) == napi_ok && (type == napi_null || type == napi_undefined)) return nullptr;
    return floatsOf(value, length);
  }

  /// A Float32Array or Int32Array of any length.
  float* words(int64_t* length) {
    napi_typedarray_type type;
    float* data = static_cast<float*>(typedArray(next(), &type, length));
    if (type != napi_float32_array && type != napi_int32_array) fail("a Float32Array or Int32Array");
    return data;
  }

  float* floats(int64_t* length) {
    napi_typedarray_type type;
    float* data = static_cast<float*>(typedArray(next(), &type, length));
    if (type != napi_float32_array) fail("a Float32Array");
    return data;
  }

  const int32_t* integers(int64_t* length) {
    napi_typedarray_type type;
    void* data = typedArray(next(), &type, length);
    if (type != napi_int32_array) fail("an Int32Array");
    return static_cast<const int32_t*>(data);
  }

  double* doubles(int64_t* length) {
    napi_typedarray_type type;
    void* data = typedArray(next(), &type, length);
    if (type != napi_float64_array) fail("a Float64Array");
    return static_cast<double*>(data);
  }

  /// Whether the next argument is null or missing; it is then skipped.
  bool isNull() {
    napi_valuetype type;
    const bool null = at_ >= count_ || (napi_typeof(env_, values_[at_], &type) == napi_ok &&
                                        (type == napi_null || type == napi_undefined));
    if (null) at_++;
    return null;
  }

  /// A JavaScript array of numbers.
  std::vector<int64_t> list(size_t most) {
    napi_value array = next();
    const uint32_t length = arrayLength(array);
    if (length > most) fail("a shorter array");
    std::vector<int64_t> result(length);
    for (uint32_t i = 0; i < length; i++) {
      napi_value item;
      double value;
      if (napi_get_element(env_, array, i, &item) != napi_ok || napi_get_value_double(env_, item, &value) != napi_ok ||
          !(value > -1e12 && value < 1e12))
        fail("an array of numbers");
      result[i] = static_cast<int64_t>(value);
    }
    return result;
  }

  /// A JavaScript array of Float32Arrays of exactly these lengths.
  void arrays(const std::vector<int64_t>& lengths, float** to) {
    napi_value array = next();
    if (arrayLength(array) != lengths.size()) fail("an array of the right length");
    for (uint32_t i = 0; i < lengths.size(); i++) {
      napi_value item;
      if (napi_get_element(env_, array, i, &item) != napi_ok) fail("an array");
      to[i] = floatsOf(item, lengths[i]);
    }
  }

  /// A JavaScript array of at least one Float32Array, all of one length.
  std::vector<const float*> terms(int64_t length) {
    napi_value array = next();
    std::vector<const float*> result(arrayLength(array));
    if (result.empty()) fail("at least one array");
    for (uint32_t i = 0; i < result.size(); i++) {
      napi_value item;
      if (napi_get_element(env_, array, i, &item) != napi_ok) fail("an array");
      result[i] = floatsOf(item, length);
    }
    return result;
  }

 private:
  napi_value next() {
    if (at_ >= count_) fail("one more");
    return values_[at_++];
  }

  [[noreturn]] void fail(const char* what) const {
    throw Invalid("argument " + std::to_string(at_) + " must be " + what);
  }

  uint32_t arrayLength(napi_value array) {
    uint32_t length;
    bool isArray = false;
    if (napi_is_array(env_, array, &isArray) != napi_ok || !isArray ||
        napi_get_array_length(env_, array, &length) != napi_ok)
      fail("an array");
    return length;
  }

  void* typedArray(napi_value value, napi_typedarray_type* type, int64_t* length) {
    bool isTyped = false;
    size_t size;
    void* data;
    if (napi_is_typedarray(env_, value, &isTyped) != napi_ok || !isTyped ||
        napi_get_typedarray_info(env_, value, type, &size, &data, nullptr, nullptr) != napi_ok)
      fail("a typed array");
    *length = static_cast<int64_t>(size);
    return data;
  }

  float* floatsOf(napi_value value, int64_t expected) {
    napi_typedarray_type type;
    int64_t length;
    void* data = typedArray(value, &type, &length);
    if (type != napi_float32_array || length != expected) {
      const std::string wanted = "a Float32Array of " + std::to_string(expected) + ", got " + std::to_string(length);
      fail(wanted.c_str());
    }
    return static_cast<float*>(data);
  }

  napi_env env_;
  napi_value values_[kMost];
  size_t count_, at_ = 0;
};

}  // namespace chladni

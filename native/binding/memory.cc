#include "memory.hpp"
#include <new>

namespace framewire {

namespace {

// Memory that is kept for the next frame.
constexpr size_t spare_least = 64 * 1024, spare_most = (4u << 20) + 64;

// nullptr: it was detached, or is shorter than `size` by now.
uint8_t *bytes_of(napi_env env, napi_ref reference, size_t size) noexcept {
  Napi::HandleScope scope(env);
  napi_value array;
  void *data = nullptr;
  size_t length = 0;
  if (napi_get_reference_value(env, reference, &array) != napi_ok || array == nullptr) return nullptr;
  if (napi_get_typedarray_info(env, array, nullptr, &length, &data, nullptr, nullptr) != napi_ok)
    return nullptr;
  return length >= size ? static_cast<uint8_t *>(data) : nullptr;
}

} // namespace

bool JsMemory::acquire(size_t size, Block &out) noexcept {
  if (size == spare_.size && holds(spare_)) {
    out = spare_;
    spare_ = Block{};
    live_bytes_ += size;
    live_blocks_ += 1;
    return true;
  }
  napi_env env = allocate_.Env();
  Napi::HandleScope scope(env);
  napi_value argument, global, result;
  if (napi_create_double(env, static_cast<double>(size), &argument) != napi_ok) return false;
  if (napi_get_global(env, &global) != napi_ok) return false;
  if (napi_call_function(env, global, allocate_.Value(), 1, &argument, &result) != napi_ok) {
    // No memory, or the environment is going down. The connection says so; the exception is not anybody
    // else's.
    napi_value ignored;
    napi_get_and_clear_last_exception(env, &ignored);
    return false;
  }
  void *data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, result, nullptr, &length, &data, nullptr, nullptr) != napi_ok)
    return false;
  if (data == nullptr || length < size) return false;
  napi_ref reference;
  if (napi_create_reference(env, result, 1, &reference) != napi_ok) return false;
  out = Block{static_cast<uint8_t *>(data), size, reference};
  live_bytes_ += size;
  live_blocks_ += 1;
  return true;
}

bool JsMemory::holds(const Block &block) noexcept {
  return bytes_of(allocate_.Env(), static_cast<napi_ref>(block.handle), block.size) == block.data;
}

void JsMemory::forget(Block &block) noexcept {
  napi_delete_reference(allocate_.Env(), static_cast<napi_ref>(block.handle));
  live_bytes_ -= block.size;
  live_blocks_ -= 1;
  block = Block{};
}

void JsMemory::release(Block &block) noexcept {
  if (block.handle == nullptr) return;
  if (block.size < spare_least || block.size > spare_most || allocate_.IsEmpty()) return forget(block);
  drop_spare();
  spare_ = block;
  live_bytes_ -= block.size;
  live_blocks_ -= 1;
  block = Block{};
}

void JsMemory::drop_spare() noexcept {
  if (spare_.handle != nullptr) napi_delete_reference(allocate_.Env(), static_cast<napi_ref>(spare_.handle));
  spare_ = Block{};
}

Napi::Value JsMemory::take(Napi::Env env, Block &block) {
  napi_value value = nullptr;
  napi_get_reference_value(env, static_cast<napi_ref>(block.handle), &value);
  forget(block);
  return Napi::Value(env, value);
}

std::unique_ptr<JsPayload> JsPayload::hold(Napi::Env env, Napi::Value array, size_t *live) noexcept {
  napi_ref reference;
  if (napi_create_reference(env, array, 1, &reference) != napi_ok) return nullptr;
  std::unique_ptr<JsPayload> payload(new (std::nothrow) JsPayload(env, reference, live));
  if (payload == nullptr) napi_delete_reference(env, reference);
  return payload;
}

JsPayload::~JsPayload() {
  napi_delete_reference(env_, reference_);
  *live_ -= 1;
}

const uint8_t *JsPayload::bytes(size_t size) noexcept {
  return bytes_of(env_, reference_, size);
}

} // namespace framewire

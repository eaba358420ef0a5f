// JS memory lent to the transport. References keep it alive; what it points to is looked up again before
// every use that is not synchronous, because JS may have detached or shrunk it meanwhile.
#pragma once

#include "../core/memory.hpp"
#include "../transport/write_queue.hpp"
#include <napi.h>

namespace framewire {

// Large frames are received into Buffers that a JS function allocates, so that they can be handed over as
// they are.
class JsMemory final : public MemorySource {
public:
  void init(Napi::Function allocate) { allocate_ = Napi::Persistent(allocate); }
  void reset() {
    drop_spare();
    allocate_.Reset();
  }
  bool acquire(size_t size, Block &out) noexcept override;
  void release(Block &block) noexcept override;
  bool holds(const Block &block) noexcept override;
  // The Buffer itself; the block is empty then.
  Napi::Value take(Napi::Env env, Block &block);
  size_t live_bytes() const noexcept { return live_bytes_; }
  size_t live_blocks() const noexcept { return live_blocks_; }

private:
  void forget(Block &block) noexcept;
  void drop_spare() noexcept;

  Napi::FunctionReference allocate_;
  Block spare_; // what a frame has grown out of; the next one begins with as much
  size_t live_bytes_ = 0, live_blocks_ = 0;
};

class JsPayload final : public HeldPayload {
public:
  static std::unique_ptr<JsPayload> hold(Napi::Env env, Napi::Value array, size_t *live) noexcept;
  ~JsPayload() override;
  const uint8_t *bytes(size_t size) noexcept override;

private:
  JsPayload(napi_env env, napi_ref reference, size_t *live) noexcept
      : env_(env), reference_(reference), live_(live) {
    *live_ += 1;
  }
  napi_env env_;
  napi_ref reference_;
  size_t *live_;
};

} // namespace framewire

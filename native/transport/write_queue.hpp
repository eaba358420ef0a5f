// What the kernel did not take at once: bytes of one connection that wait to be written, in order. Knows
// memory and sizes; the connection does the writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <uv.h>

namespace framewire {

// A large payload that is not copied: somebody else's memory, looked up again before every use because its
// owner may have detached or shrunk it meanwhile.
class HeldPayload {
public:
  virtual ~HeldPayload() = default;
  // nullptr when fewer than `size` bytes are left of it.
  virtual const uint8_t *bytes(size_t size) noexcept = 0;
};

class WriteQueue {
public:
  WriteQueue() = default;
  WriteQueue(const WriteQueue &) = delete;
  ~WriteQueue() { clear(); }

  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  // Memory that is set aside for that, held payloads as a whole.
  size_t reserved() const noexcept { return reserved_; }
  // When the oldest byte still here was queued, in loop milliseconds, or up to 50 earlier. Only while not
  // empty.
  uint64_t oldest() const noexcept { return head_->queued_at; }

  // Copies. False: no memory, nothing was queued.
  bool append(const void *bytes, size_t size, uint64_t now) noexcept;
  // Holds `payload` from `offset` to `size`, without a copy. False: no memory.
  bool append_held(std::unique_ptr<HeldPayload> payload, size_t offset, size_t size, uint64_t now) noexcept;

  // Up to `room` pieces from the front. Sets `lost` when a held payload is gone; what is before it is still
  // given.
  size_t gather(uv_buf_t *bufs, size_t room, bool &lost) noexcept;
  // Takes `size` bytes off the front.
  void consume(size_t size) noexcept;
  void clear() noexcept;

private:
  struct Chunk {
    Chunk *next;
    uint64_t queued_at;
    size_t offset;
    size_t size;
    size_t capacity; // of `data`; 0 for a held payload
    HeldPayload *held;
    uint8_t data[1];
  };
  static Chunk *make_chunk(size_t capacity, uint64_t now) noexcept;
  static size_t cost(const Chunk *chunk) noexcept;
  void link(Chunk *chunk) noexcept;
  void drop_head() noexcept;

  Chunk *head_ = nullptr;
  Chunk *tail_ = nullptr;
  size_t size_ = 0;
  size_t reserved_ = 0;
};

} // namespace framewire

// Where the bytes of unfinished frames live. Knows sizes; whose memory it is (malloc, an ArrayBuffer of JS, a
// test that fails on purpose) is the implementation's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace framewire {

// Owned memory without an owner's type: whoever holds a Block must give it back to the source it came from,
// once.
struct Block {
  uint8_t *data = nullptr;
  size_t size = 0;
  void *handle = nullptr; // the source's own
};

class MemorySource {
public:
  virtual ~MemorySource() = default;
  // At least `size` (> 0) bytes, uninitialised, out.size == size. false: none to be had, `out` is untouched.
  virtual bool acquire(size_t size, Block &out) noexcept = 0;
  // Takes back what acquire gave and empties `block`. An empty block is allowed.
  virtual void release(Block &block) noexcept = 0;
  // The block's bytes are still where they were. Asked before a use that does not follow the last at once.
  virtual bool holds(const Block &) noexcept { return true; }
};

class HeapMemory final : public MemorySource {
public:
  bool acquire(size_t size, Block &out) noexcept override {
    void *data = std::malloc(size);
    if (data == nullptr) return false;
    out = Block{static_cast<uint8_t *>(data), size, nullptr};
    return true;
  }
  void release(Block &block) noexcept override {
    std::free(block.data);
    block = Block{};
  }
};

} // namespace framewire

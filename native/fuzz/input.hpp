// A format and numbers from a fuzzer's bytes: the first bytes choose, the rest is the stream.
#pragma once

#include "../test/formats.hpp"

#include <cstdio>
#include <cstdlib>

namespace framewire::fuzz {

class Input {
public:
  Input(const uint8_t *data, size_t size) noexcept : data_(data), size_(size) {}

  bool empty() const noexcept { return size_ == 0; }
  uint8_t byte() noexcept {
    if (size_ == 0) return 0;
    size_--;
    return *data_++;
  }
  uint32_t word() noexcept {
    uint32_t value = byte();
    for (int i = 0; i < 3; i++) value = value << 8 | byte();
    return value;
  }
  test::Bytes rest() const { return test::Bytes(data_, data_ + size_); }

  // Any format there is, but mostly ones whose frames are short enough to be met by chance.
  FrameFormat format() {
    static constexpr uint8_t kWidths[] = {4, 0, 1, 2, 3, 8};
    const uint8_t shape = byte();
    FormatSpec spec;
    spec.length_bytes = kWidths[shape % 6];
    spec.endian = shape & 0x80 ? Endian::little : Endian::big;
    if (shape & 0x40) {
      const uint8_t options = byte();
      spec.length_offset = options & 1 ? byte() : 0;
      spec.length_adjustment = options & 2 ? static_cast<int8_t>(byte()) : 0;
      if (options & 4) spec.length_adjustment = static_cast<int32_t>(word());
      if (options & 8) spec.strip = byte();
      if (options & 16) spec.strip = word() % 65536;
    }
    return test::make_format(spec);
  }

private:
  const uint8_t *data_;
  size_t size_;
};

[[noreturn]] inline void fail(const char *what) {
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

} // namespace framewire::fuzz

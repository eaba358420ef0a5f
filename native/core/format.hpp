// How a frame lies on the wire: where its length is, how it is written, what it counts.
// Knows numbers only; it must not know sockets, memory or Node.
//
//   | lengthOffset bytes | length field | value + lengthAdjustment bytes |
//   |<------------------------- frame on the wire -------------------->|
//   |<- strip ->|<------------------- payload ------------------------>|
#pragma once

#include <cstddef>
#include <cstdint>

namespace framewire {

static_assert(sizeof(size_t) >= 8, "wire sizes go past 32 bits");

enum class Endian : uint8_t { big, little };

// The largest payload anything here carries: what the option `Infinity` stands for.
constexpr uint64_t kMaxPayload = (uint64_t{1} << 32) - 65536;
// Widest header: 65535 bytes before the field and a varint of ten.
constexpr size_t kMaxVarint = 10;
constexpr uint32_t kMaxOffset = 65535;

// What a user writes. Defaults are 'uint32be'.
struct FormatSpec {
  uint8_t length_bytes = 4; // 1, 2, 3, 4, 8; 0 = varint (unsigned LEB128, protobuf's)
  Endian endian = Endian::big;
  uint32_t length_offset = 0;    // 0..65535
  int32_t length_adjustment = 0; // value + adjustment = bytes behind the field
  int64_t strip = -1;            // 0..65535 leading bytes the payload leaves out; -1 = all of the header
};

// A header that was read, or why it could not be.
enum class HeaderState : uint8_t { incomplete, whole, too_large, invalid_length };
struct Header {
  HeaderState state = HeaderState::incomplete;
  size_t header_bytes = 0; // offset + field; 0 while incomplete
  uint64_t wire = 0;       // bytes of the whole frame; set when `whole`
  uint64_t payload = 0;    // its payload; saturates at UINT64_MAX; set when `whole` or `too_large`
  uint64_t start = 0;      // bytes of the frame in front of its payload; set when `whole`
};

// A validated FormatSpec. Small, copied freely; a default one is 'uint32be'.
class FrameFormat {
public:
  FrameFormat() noexcept = default;

  // false: a value out of range; `out` is untouched then.
  static bool make(const FormatSpec &spec, FrameFormat &out) noexcept;

  // 4 bytes, big endian, offset 0, adjustment 0, header stripped: the fast path.
  bool is_plain_u32be() const noexcept { return plain_u32be_; }
  bool is_varint() const noexcept { return length_bytes_ == 0; }
  uint8_t length_bytes() const noexcept { return length_bytes_; }
  Endian endian() const noexcept { return endian_; }
  uint32_t length_offset() const noexcept { return length_offset_; }
  int32_t length_adjustment() const noexcept { return length_adjustment_; }
  // true: all of the header is left out (for a fixed width also when that was written as a number).
  bool strips_header() const noexcept { return strip_ < 0; }
  // The number given as strip; -1 when strips_header().
  int64_t strip() const noexcept { return strip_; }
  // Offset + field; for a varint the longest there is.
  size_t max_header() const noexcept {
    return size_t{length_offset_} + (length_bytes_ == 0 ? kMaxVarint : length_bytes_);
  }
  // Bytes without which no header is whole.
  size_t min_header() const noexcept {
    return size_t{length_offset_} + (length_bytes_ == 0 ? 1 : length_bytes_);
  }

  // Reads a header whose length field starts at `field`, `size` bytes of which (and of what follows) are
  // there. The slow way, for one frame at a time; scan() is for many. `max_payload` is cut to kMaxPayload.
  Header read(const uint8_t *field, size_t size, uint64_t max_payload) const noexcept;

private:
  int64_t strip_ = -1;
  uint32_t length_offset_ = 0;
  int32_t length_adjustment_ = 0;
  uint8_t length_bytes_ = 4;
  Endian endian_ = Endian::big;
  bool plain_u32be_ = true;
};

} // namespace framewire

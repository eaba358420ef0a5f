// Reads one header the careful way: every addition is done in 64 bits and checked before it is trusted.
#include "format.hpp"

namespace framewire {

namespace {

constexpr uint64_t kMaxExact = uint64_t{1} << 53;

struct Field {
  HeaderState state;
  size_t width;
  uint64_t value;
};

Field read_varint(const uint8_t *bytes, size_t size) noexcept {
  uint64_t value = 0;
  for (size_t i = 0; i < kMaxVarint; i++) {
    if (i == size) return {HeaderState::incomplete, 0, 0};
    const uint8_t byte = bytes[i];
    // The tenth byte has one bit left of 64, and an eleventh must not follow.
    if (i == kMaxVarint - 1 && byte > 1) break;
    value |= uint64_t{byte & 0x7fu} << (7 * i);
    if (byte < 0x80) return {HeaderState::whole, i + 1, value};
  }
  return {HeaderState::invalid_length, 0, 0};
}

Field read_fixed(const uint8_t *bytes, size_t size, size_t width, Endian endian) noexcept {
  if (size < width) return {HeaderState::incomplete, 0, 0};
  uint64_t value = 0;
  for (size_t i = 0; i < width; i++) value = value << 8 | bytes[endian == Endian::big ? i : width - 1 - i];
  return {HeaderState::whole, width, value};
}

uint64_t add_saturated(uint64_t value, int64_t extra) noexcept {
  if (extra < 0) return value - static_cast<uint64_t>(-extra); // only called with a value past 2^53
  const uint64_t sum = value + static_cast<uint64_t>(extra);
  return sum < value ? UINT64_MAX : sum;
}

} // namespace

bool FrameFormat::make(const FormatSpec &spec, FrameFormat &out) noexcept {
  const uint8_t width = spec.length_bytes;
  if (width > 4 && width != 8) return false;
  if (spec.endian != Endian::big && spec.endian != Endian::little) return false;
  if (spec.length_offset > kMaxOffset || spec.strip < -1 || spec.strip > int64_t{kMaxOffset}) return false;
  FrameFormat format;
  format.length_bytes_ = width;
  format.endian_ = spec.endian;
  format.length_offset_ = spec.length_offset;
  format.length_adjustment_ = spec.length_adjustment;
  format.strip_ = spec.strip;
  if (width != 0 && spec.strip == int64_t{spec.length_offset} + width) format.strip_ = -1;
  format.plain_u32be_ = width == 4 && spec.endian == Endian::big && spec.length_offset == 0 &&
                        spec.length_adjustment == 0 && format.strip_ < 0;
  out = format;
  return true;
}

Header FrameFormat::read(const uint8_t *field, size_t size, uint64_t max_payload) const noexcept {
  const Field got = is_varint() ? read_varint(field, size) : read_fixed(field, size, length_bytes_, endian_);
  Header header;
  header.state = got.state;
  if (got.state != HeaderState::whole) return header;
  header.header_bytes = size_t{length_offset_} + got.width;
  const int64_t head = static_cast<int64_t>(header.header_bytes);
  const int64_t start = strip_ < 0 ? head : strip_;
  const int64_t extra = head + length_adjustment_ - start; // payload = value + extra
  if (got.value > kMaxExact) {
    header.state = HeaderState::too_large;
    header.payload = add_saturated(got.value, extra);
    return header;
  }
  const int64_t value = static_cast<int64_t>(got.value);
  if (value + length_adjustment_ < 0 || value + extra < 0) {
    header.state = HeaderState::invalid_length;
    return header;
  }
  header.payload = static_cast<uint64_t>(value + extra);
  if (header.payload > (max_payload < kMaxPayload ? max_payload : kMaxPayload)) {
    header.state = HeaderState::too_large;
    return header;
  }
  header.wire = header.payload + static_cast<uint64_t>(start);
  header.start = static_cast<uint64_t>(start);
  return header;
}

} // namespace framewire

// Works out a frame's layout first (Plan), then writes it: nothing is written unless all of it is right.
#include "encode.hpp"

#include <cstring>

namespace framewire {

namespace {

// Past this no frame could be read back, and below it no sum here overflows 64 bits.
constexpr uint64_t kMaxExact = uint64_t{1} << 53;

struct Plan {
  Encoded result = Encoded::ok;
  size_t prefix =
      0;            // zero bytes in front of the payload, the length field among them as far as it lies there
  size_t width = 0; // bytes of the field; 0: the payload carries it and it is right as it is
  uint64_t value = 0;
};

Plan refuse(Encoded result) noexcept {
  Plan plan;
  plan.result = result;
  return plan;
}

size_t varint_width(uint64_t value) noexcept {
  size_t width = 1;
  while (value >= 0x80) {
    value >>= 7;
    width++;
  }
  return width;
}

Plan plan_fixed(const FrameFormat &format, uint64_t len) noexcept {
  const int64_t header = static_cast<int64_t>(format.max_header());
  const int64_t prefix = format.strips_header() ? header : format.strip();
  const int64_t behind = prefix + static_cast<int64_t>(len) - header;
  const int64_t value = behind - format.length_adjustment();
  const size_t width = format.length_bytes();
  if (behind < 0 || value < 0) return refuse(Encoded::invalid_length);
  if (width < 8 && static_cast<uint64_t>(value) >> (8 * width) != 0) return refuse(Encoded::too_large);
  return {Encoded::ok, static_cast<size_t>(prefix), width, static_cast<uint64_t>(value)};
}

// strip reaches past the field's first byte: the field must be as wide as it leaves itself room to count.
Plan plan_varint_stripped(const FrameFormat &format, uint64_t len) noexcept {
  const int64_t behind_offset = format.strip() + static_cast<int64_t>(len) - int64_t{format.length_offset()};
  for (size_t width = 1; width <= kMaxVarint; width++) {
    const int64_t behind = behind_offset - static_cast<int64_t>(width);
    const int64_t value = behind - format.length_adjustment();
    if (behind < 0 || value < 0) break;
    if (width >= 9 || static_cast<uint64_t>(value) >> (7 * width) == 0)
      return {Encoded::ok, static_cast<size_t>(format.strip()), width, static_cast<uint64_t>(value)};
  }
  return refuse(Encoded::invalid_length);
}

// The payload brings the whole field along: it has to say the right thing already.
Plan plan_varint_carried(const FrameFormat &format, const uint8_t *payload, size_t len) noexcept {
  const size_t prefix = static_cast<size_t>(format.strip());
  const size_t at = format.length_offset() - prefix;
  if (at >= len) return refuse(Encoded::invalid_length);
  const Header header = format.read(payload + at, len - at, kMaxPayload);
  if (header.state != HeaderState::whole || header.wire != prefix + len)
    return refuse(Encoded::invalid_length);
  return {Encoded::ok, prefix, 0, 0};
}

Plan plan_varint(const FrameFormat &format, uint64_t len) noexcept {
  const int64_t value = static_cast<int64_t>(len) - format.length_adjustment();
  if (value < 0) return refuse(Encoded::invalid_length);
  const size_t width = varint_width(static_cast<uint64_t>(value));
  return {Encoded::ok, format.length_offset() + width, width, static_cast<uint64_t>(value)};
}

bool carries_varint(const FrameFormat &format) noexcept {
  return format.is_varint() && !format.strips_header() && format.strip() <= int64_t{format.length_offset()};
}

// Everything but a varint that the payload carries.
Plan plan_frame(const FrameFormat &format, uint64_t len) noexcept {
  if (len > kMaxExact) return refuse(Encoded::too_large);
  if (!format.is_varint()) return plan_fixed(format, len);
  return format.strips_header() ? plan_varint(format, len) : plan_varint_stripped(format, len);
}

Plan plan_header(const FrameFormat &format, uint64_t len) noexcept {
  if (carries_varint(format)) return refuse(Encoded::invalid_length);
  const Plan plan = plan_frame(format, len);
  if (plan.result == Encoded::ok && plan.prefix < format.length_offset() + plan.width)
    return refuse(Encoded::invalid_length);
  return plan;
}

void write_field(const FrameFormat &format, const Plan &plan, uint8_t *at) noexcept {
  uint64_t value = plan.value;
  for (size_t i = 0; i < plan.width; i++) {
    if (format.is_varint()) {
      at[i] = static_cast<uint8_t>((value & 0x7f) | (i + 1 < plan.width ? 0x80 : 0));
      value >>= 7;
    } else {
      at[format.endian() == Endian::little ? i : plan.width - 1 - i] = static_cast<uint8_t>(value);
      value >>= 8;
    }
  }
}

} // namespace

size_t header_size(const FrameFormat &format, uint64_t payload_len) noexcept {
  const Plan plan = plan_header(format, payload_len);
  return plan.result == Encoded::ok ? plan.prefix : 0;
}

bool encode_header(const FrameFormat &format, uint64_t payload_len, uint8_t *out, size_t &out_len) noexcept {
  if (format.is_plain_u32be() && payload_len <= UINT32_MAX) {
    out[0] = static_cast<uint8_t>(payload_len >> 24);
    out[1] = static_cast<uint8_t>(payload_len >> 16);
    out[2] = static_cast<uint8_t>(payload_len >> 8);
    out[3] = static_cast<uint8_t>(payload_len);
    out_len = 4;
    return true;
  }
  out_len = 0;
  const Plan plan = plan_header(format, payload_len);
  if (plan.result != Encoded::ok) return false;
  std::memset(out, 0, plan.prefix);
  write_field(format, plan, out + format.length_offset());
  out_len = plan.prefix;
  return true;
}

namespace {

Plan plan_whole(const FrameFormat &format, const uint8_t *payload, size_t len) noexcept {
  return carries_varint(format) ? plan_varint_carried(format, payload, len) : plan_frame(format, len);
}

} // namespace

Encoded encoded_size(const FrameFormat &format, const uint8_t *payload, size_t len, size_t &size) noexcept {
  const Plan plan = plan_whole(format, payload, len);
  size = plan.result == Encoded::ok ? plan.prefix + len : 0;
  return plan.result;
}

Encoded encode(const FrameFormat &format, const uint8_t *payload, size_t len, uint8_t *out, size_t capacity,
               size_t &written) noexcept {
  written = 0;
  const Plan plan = plan_whole(format, payload, len);
  if (plan.result != Encoded::ok) return plan.result;
  if (capacity < plan.prefix || capacity - plan.prefix < len) return Encoded::no_room;
  if (plan.prefix > 0) std::memset(out, 0, plan.prefix);
  if (len > 0) std::memcpy(out + plan.prefix, payload, len);
  write_field(format, plan, out + format.length_offset());
  written = plan.prefix + len;
  return Encoded::ok;
}

} // namespace framewire

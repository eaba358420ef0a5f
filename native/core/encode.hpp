// Puts frames on the wire: the reverse of scan(). Knows a format and writes into the caller's memory.
#pragma once

#include "format.hpp"

namespace framewire {

enum class Encoded : uint8_t {
  ok,
  too_large,      // the length does not fit its field
  invalid_length, // it would be negative, the frame is shorter than its header, or the payload's own varint
                  // is wrong
  no_room,        // `capacity` is less than encoded_size()
};

// Bytes that go in front of the payload, for formats whose payload carries no part of the header
// (strips_header(), or strip >= offset + field). 0: such a payload cannot be encoded, or the format is not of
// these.
size_t header_size(const FrameFormat &format, uint64_t payload_len) noexcept;

// Writes those header_size() bytes. `out` has room for max_header() or the format's strip, whichever is more.
// false: as header_size() 0; out_len is 0 then.
bool encode_header(const FrameFormat &format, uint64_t payload_len, uint8_t *out, size_t &out_len) noexcept;

// Wire size of a frame with this payload, for every format. `payload` is read only where it carries a varint
// itself.
Encoded encoded_size(const FrameFormat &format, const uint8_t *payload, size_t len, size_t &size) noexcept;

// The whole frame into `out`; `written` is encoded_size(). `out` must not overlap `payload`.
Encoded encode(const FrameFormat &format, const uint8_t *payload, size_t len, uint8_t *out, size_t capacity,
               size_t &written) noexcept;

} // namespace framewire

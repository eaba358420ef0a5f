// Guesses what a peer that does not speak the protocol speaks instead, from the first bytes of the frame at
// fault. A hint for a person who reads an error; nothing is decided by it.
#pragma once

#include "format.hpp"

namespace framewire {

enum class Hint : uint8_t {
  none,
  http,          // starts like an HTTP request or reply
  tls,           // a TLS record: handshake, version 3.x
  other_endian,  // the length read the other way round is within the limit, as written it is not
  counts_header, // the length seems to count its own header
};

// For a frame refused as too large or invalid. `head`: its first bytes, 16 are enough (Outcome::head).
Hint sniff(const FrameFormat &format, uint64_t max_payload, const uint8_t *head, size_t size) noexcept;

// For a frame that was cut off by the end of input: `received` wire bytes of it are here, `head` are the
// first ones.
Hint sniff_truncated(const FrameFormat &format, uint64_t max_payload, const uint8_t *head, size_t size,
                     size_t received) noexcept;

// 'http', 'tls', 'other-endian', 'counts-header'; nullptr for none.
const char *hint_name(Hint hint) noexcept;

} // namespace framewire

// Guesses what a peer that does not speak the protocol speaks instead, from the first bytes of the frame at
// fault. A hint for a person who reads an error; nothing is decided by it.
#pragma once

#include "format.hpp"

namespace framewire {

enum class Hint : uint8_t {
  none,
  http,          // starts like an HTTP request or reply
  tls,           // a TLS record: handshake, version 3.x
  other_endian,  // the length read the other way round is within the limit, far smaller, and not contradicted
  counts_header, // the length seems to count its own header
};

struct Suspicion {
  Hint hint = Hint::none;
  uint64_t payload = 0; // other_endian: the payload length read so
  uint64_t wire = 0;    // other_endian: bytes of the whole frame read so
};

// http, tls or none, from the first bytes a connection ever brought (4 are enough). Only there it means
// anything.
Hint sniff_greeting(const uint8_t *head, size_t size) noexcept;

// other_endian, counts_header or none. `field`: bytes from the length field on, as many as are there, up to
// kMaxVarint. `received`: wire bytes of a frame that was cut off by the end of input; 0: that is not what
// happened.
Suspicion sniff_field(const FrameFormat &format, uint64_t max_payload, const uint8_t *field, size_t size,
                      uint64_t received) noexcept;

// other_endian: whether what came behind the frame that was read so says the same. `field`: as above, of the
// next frame. A large round number looks like a small one in the other byte order (5 MiB is 00 50 00 00);
// behind it comes payload then, where the small frame would be over.
bool ends_or_goes_on(const FrameFormat &format, uint64_t max_payload, const uint8_t *field,
                     size_t size) noexcept;

} // namespace framewire

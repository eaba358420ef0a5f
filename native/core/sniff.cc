// Looks at the first bytes only, so that a hint costs nothing on the way of a good frame.
#include "sniff.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace framewire {

namespace {

bool is_http(const uint8_t *head, size_t size) noexcept {
  static constexpr const char *kStarts[] = {"GET ",    "POST ",      "PUT ",   "HEAD ",
                                            "DELETE ", "OPTIONS ",   "PATCH ", "CONNECT ",
                                            "TRACE ",  "PRI * HTTP", "HTTP/"};
  if (size < 4)
    return false;
  return std::any_of(std::begin(kStarts), std::end(kStarts), [&](const char *start) {
    return std::memcmp(head, start, std::min(size, std::strlen(start))) == 0;
  });
}

// A handshake record: type 22, then the version: 3 and 0 to 4.
bool is_tls(const uint8_t *head, size_t size) noexcept {
  return size >= 2 && head[0] == 0x16 && head[1] == 0x03 && (size < 3 || head[2] <= 4);
}

// The header as a peer with the other byte order would have meant it.
Header read_swapped(const FrameFormat &format, uint64_t max_payload, const uint8_t *head,
                    size_t size) noexcept {
  FormatSpec spec;
  spec.length_bytes = format.length_bytes();
  spec.endian = format.endian() == Endian::big ? Endian::little : Endian::big;
  spec.length_offset = format.length_offset();
  spec.length_adjustment = format.length_adjustment();
  spec.strip = format.strip();
  FrameFormat swapped;
  if (format.length_bytes() < 2 || size <= format.length_offset() || !FrameFormat::make(spec, swapped))
    return Header{};
  return swapped.read(head + format.length_offset(), size - format.length_offset(), max_payload);
}

Header read_straight(const FrameFormat &format, uint64_t max_payload, const uint8_t *head,
                     size_t size) noexcept {
  if (size <= format.length_offset())
    return Header{};
  return format.read(head + format.length_offset(), size - format.length_offset(), max_payload);
}

} // namespace

Hint sniff(const FrameFormat &format, uint64_t max_payload, const uint8_t *head, size_t size) noexcept {
  if (is_http(head, size))
    return Hint::http;
  if (is_tls(head, size))
    return Hint::tls;
  const bool refused = read_straight(format, max_payload, head, size).state == HeaderState::too_large;
  if (refused && read_swapped(format, max_payload, head, size).state == HeaderState::whole)
    return Hint::other_endian;
  return Hint::none;
}

Hint sniff_truncated(const FrameFormat &format, uint64_t max_payload, const uint8_t *head, size_t size,
                     size_t received) noexcept {
  if (is_http(head, size))
    return Hint::http;
  if (is_tls(head, size))
    return Hint::tls;
  const Header header = read_straight(format, max_payload, head, size);
  if (header.state != HeaderState::whole)
    return Hint::none;
  // The value, had it counted the header, would be exactly what came.
  if (format.length_adjustment() == 0 && header.wire - header.header_bytes == received)
    return Hint::counts_header;
  const Header swapped = read_swapped(format, max_payload, head, size);
  if (swapped.state == HeaderState::whole && swapped.wire == received)
    return Hint::other_endian;
  return Hint::none;
}

const char *hint_name(Hint hint) noexcept {
  switch (hint) {
  case Hint::http:
    return "http";
  case Hint::tls:
    return "tls";
  case Hint::other_endian:
    return "other-endian";
  case Hint::counts_header:
    return "counts-header";
  case Hint::none:
    break;
  }
  return nullptr;
}

} // namespace framewire

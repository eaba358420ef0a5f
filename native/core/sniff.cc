// Looks at the first bytes only, and only after a fault: a hint costs nothing on the way of a good frame.
#include "sniff.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace framewire {

namespace {

constexpr const char *kHttpStarts[] = {"GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI",
                                       "PATC", "CONN", "TRAC", "PRI ", "HTTP"};

// The header as a peer with the other byte order would have meant it.
Header read_swapped(const FrameFormat &format, uint64_t max_payload, const uint8_t *field,
                    size_t size) noexcept {
  FormatSpec spec;
  spec.length_bytes = format.length_bytes();
  spec.endian = format.endian() == Endian::big ? Endian::little : Endian::big;
  spec.length_offset = format.length_offset();
  spec.length_adjustment = format.length_adjustment();
  spec.strip = format.strip();
  FrameFormat swapped;
  if (format.length_bytes() < 2 || !FrameFormat::make(spec, swapped)) return Header{};
  return swapped.read(field, size, max_payload);
}

} // namespace

Hint sniff_greeting(const uint8_t *head, size_t size) noexcept {
  if (size >= 3 && head[0] == 0x16 && head[1] == 0x03 && head[2] <= 4) return Hint::tls;
  if (size < 4) return Hint::none;
  const bool http = std::any_of(std::begin(kHttpStarts), std::end(kHttpStarts),
                                [&](const char *start) { return std::memcmp(head, start, 4) == 0; });
  return http ? Hint::http : Hint::none;
}

Suspicion sniff_field(const FrameFormat &format, uint64_t max_payload, const uint8_t *field, size_t size,
                      uint64_t received) noexcept {
  const Header as_is = format.read(field, size, max_payload);
  if (as_is.state == HeaderState::incomplete) return {};
  // Had the value counted the header, it would be exactly what came.
  if (received > 0 && as_is.state == HeaderState::whole && format.length_adjustment() == 0 &&
      as_is.wire - as_is.header_bytes == received)
    return {Hint::counts_header, 0, 0};
  const Header swapped = read_swapped(format, max_payload, field, size);
  if (swapped.state != HeaderState::whole) return {};
  if (as_is.state != HeaderState::invalid_length && swapped.payload > as_is.payload / 256) return {};
  return {Hint::other_endian, swapped.payload, swapped.wire};
}

bool ends_or_goes_on(const FrameFormat &format, uint64_t max_payload, const uint8_t *field,
                     size_t size) noexcept {
  const Header next = read_swapped(format, max_payload, field, size);
  // A zero proves nothing: payloads are full of them.
  return next.state == HeaderState::incomplete || (next.state == HeaderState::whole && next.payload > 0);
}

} // namespace framewire

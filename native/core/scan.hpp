// Finds whole frames in memory and writes down where their payloads lie. Knows bytes and a format; it owns
// nothing, keeps nothing between calls and must not know where the bytes come from.
#pragma once

#include "format.hpp"

namespace framewire {

// Payload bounds: offsets into the scanned memory, plus the caller's `base`. Two uint32 as in the JS frame
// table.
struct FrameRow {
  uint32_t start;
  uint32_t end;
};

// Why scan() returned.
enum class ScanStop : uint8_t {
  need_more,      // the input ended, on a frame boundary or within a frame
  rows_full,      // max_rows were written, and there is more input
  too_large,      // the frame at `consumed` declares more than max_payload
  invalid_length, // its length is negative, shorter than what is stripped, or no varint
};

struct ScanResult {
  size_t consumed; // bytes of whole frames
  size_t rows;     // rows written
  ScanStop stop;
  uint64_t
      declared; // payload length of the frame at `consumed` once its header is whole; saturates at UINT64_MAX
  size_t frame_bytes;  // wire size of that frame; 0 while its header is not whole, and on an error
  size_t header_bytes; // offset + field of that frame; 0 while its header is not whole
};

// Scans at most `max_rows` whole frames. `base + size` must be less than 2^32. `max_payload` is cut to
// kMaxPayload. need_more exactly on a boundary: consumed == size and frame_bytes == 0. After rows_full
// nothing is said of the frame at `consumed` (declared, frame_bytes and header_bytes are 0).
ScanResult scan(const FrameFormat &format, uint64_t max_payload, const uint8_t *data, size_t size,
                FrameRow *rows, size_t max_rows, uint32_t base) noexcept;

} // namespace framewire

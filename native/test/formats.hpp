// Formats and random streams for tests. Deterministic: everything comes from a seed.
#pragma once

#include "../core/encode.hpp"
#include "feed.hpp"

#include <random>

namespace framewire::test {

inline FrameFormat make_format(FormatSpec spec) {
  FrameFormat format;
  if (!FrameFormat::make(spec, format)) std::abort();
  return format;
}

inline FormatSpec spec_of(uint8_t width, Endian endian = Endian::big, uint32_t offset = 0,
                          int32_t adjustment = 0, int64_t strip = -1) {
  FormatSpec spec;
  spec.length_bytes = width;
  spec.endian = endian;
  spec.length_offset = offset;
  spec.length_adjustment = adjustment;
  spec.strip = strip;
  return spec;
}

// Every width and order, plain and with each of the other options; payloads of 300 bytes fit all but the
// 1-byte ones.
inline std::vector<FrameFormat> every_format() {
  std::vector<FrameFormat> formats;
  for (uint8_t width : {0, 1, 2, 3, 4, 8})
    for (Endian endian : {Endian::big, Endian::little})
      for (uint32_t offset : {0u, 3u})
        for (int32_t adjustment : {0, -7, 5})
          for (int64_t strip : {-1, 0, 2, 20})
            formats.push_back(make_format(spec_of(width, endian, offset, adjustment, strip)));
  return formats;
}

using Random = std::mt19937_64;

inline size_t pick(Random &random, size_t least, size_t most) {
  return least + static_cast<size_t>(random() % (most - least + 1));
}

inline Bytes random_bytes(Random &random, size_t size) {
  Bytes bytes(size);
  for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

// Appends a frame. false: the format has none for such a payload.
inline bool append_frame(const FrameFormat &format, const Bytes &payload, Bytes &stream) {
  size_t size = 0;
  if (encoded_size(format, payload.data(), payload.size(), size) != Encoded::ok) return false;
  Bytes frame(size);
  if (encode(format, payload.data(), payload.size(), frame.data(), size, size) != Encoded::ok) std::abort();
  stream.insert(stream.end(), frame.begin(), frame.end());
  return true;
}

} // namespace framewire::test

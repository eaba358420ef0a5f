// What encode() writes scan() reads, in every format.
#include "formats.hpp"

#include <doctest/doctest.h>

using namespace framewire;
using namespace framewire::test;

namespace {

// The payload as it comes back: bytes of the length field that lie in it are overwritten.
void check_identity(const FrameFormat &format, const Bytes &payload, Random &random) {
  size_t size = 0;
  if (encoded_size(format, payload.data(), payload.size(), size) != Encoded::ok) return;
  Bytes frame(size + 8, 0x5a);
  size_t written = 0;
  REQUIRE(encode(format, payload.data(), payload.size(), frame.data(), size - 1, written) ==
          Encoded::no_room);
  REQUIRE(encode(format, payload.data(), payload.size(), frame.data(), size, written) == Encoded::ok);
  REQUIRE(written == size);
  REQUIRE(frame[size] == 0x5a);
  frame.resize(size);
  const Heard heard = hear(format, 1 << 20, frame, {pick(random, 1, size)}, 1 << 19);
  REQUIRE(heard.ending == Ending::boundary);
  REQUIRE(heard.frames.size() == 1);
  const Bytes &got = heard.frames[0].payload;
  REQUIRE(got.size() == payload.size());
  const size_t strip = size - payload.size();
  size_t changed = 0;
  for (size_t i = 0; i < got.size(); i++)
    if (strip + i >= format.max_header() || strip + i < format.length_offset())
      changed += got[i] != payload[i] ? 1 : 0;
  REQUIRE(changed == 0);
}

} // namespace

TEST_CASE("decode of encode is identity for every format and size") {
  Random random(6);
  for (const FrameFormat &format : every_format())
    for (size_t size :
         {0u, 1u, 2u, 5u, 19u, 100u, 127u, 128u, 129u, 250u, 256u, 300u, 16383u, 16384u, 70000u})
      check_identity(format, random_bytes(random, size), random);
}

TEST_CASE("encode_header writes what encode puts in front of the payload") {
  Random random(7);
  for (const FrameFormat &format : every_format()) {
    const bool carried =
        !format.strips_header() && format.strip() < static_cast<int64_t>(format.min_header());
    for (size_t size : {0u, 1u, 100u, 127u, 128u, 300u, 40000u}) {
      const Bytes payload = random_bytes(random, size);
      Bytes frame;
      uint8_t header[64];
      size_t len = 99;
      if (carried || !append_frame(format, payload, frame)) {
        CHECK(header_size(format, size) == 0);
        CHECK_FALSE(encode_header(format, size, header, len));
        CHECK(len == 0);
        continue;
      }
      if (!encode_header(format, size, header, len))
        continue; // a varint wider than what is stripped: the payload lends a byte
      REQUIRE(len == frame.size() - size);
      REQUIRE(header_size(format, size) == len);
      REQUIRE(std::equal(header, header + len, frame.begin()));
    }
  }
}

TEST_CASE("lengths that fit no field or no frame are refused and write nothing") {
  uint8_t header[16];
  size_t len = 0;
  CHECK(encode_header(FrameFormat(), UINT32_MAX, header, len));
  CHECK_FALSE(encode_header(FrameFormat(), uint64_t{UINT32_MAX} + 1, header, len));
  CHECK_FALSE(encode_header(FrameFormat(), UINT64_MAX, header, len));
  for (uint8_t width : {0, 1, 2, 3, 8})
    CHECK_FALSE(encode_header(make_format(spec_of(width)), UINT64_MAX, header, len));
  CHECK_FALSE(encode_header(make_format(spec_of(2)), 65536, header, len));
  CHECK(encode_header(make_format(spec_of(2)), 65535, header, len));
  CHECK_FALSE(encode_header(make_format(spec_of(1, Endian::big, 0, 9)), 8, header, len));
}

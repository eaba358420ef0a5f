// scan() against FrameFormat::read, frame by frame, and its documented returns.
#include "formats.hpp"

#include <doctest/doctest.h>

using namespace framewire;
using namespace framewire::test;

namespace {

// What scan() has to find, without any of its cleverness.
ScanResult scan_slowly(const FrameFormat &format, uint64_t limit, const Bytes &data,
                       std::vector<FrameRow> &rows, size_t max_rows, uint32_t base) {
  ScanResult result{0, 0, ScanStop::need_more, 0, 0, 0};
  while (result.consumed < data.size()) {
    if (result.rows == max_rows) {
      result.stop = ScanStop::rows_full;
      return result;
    }
    const size_t left = data.size() - result.consumed;
    if (left <= format.length_offset()) return result;
    const Header header = format.read(data.data() + result.consumed + format.length_offset(),
                                      left - format.length_offset(), limit);
    if (header.state != HeaderState::whole || header.wire > left) {
      result.declared = header.payload;
      result.frame_bytes = header.wire;
      result.header_bytes = header.header_bytes;
      if (header.state == HeaderState::too_large) result.stop = ScanStop::too_large;
      if (header.state == HeaderState::invalid_length) result.stop = ScanStop::invalid_length;
      return result;
    }
    rows.push_back({static_cast<uint32_t>(base + result.consumed + header.start),
                    static_cast<uint32_t>(base + result.consumed + header.wire)});
    result.consumed += header.wire;
    result.rows++;
  }
  return result;
}

void compare(const FrameFormat &format, uint64_t limit, const Bytes &data, size_t max_rows, uint32_t base) {
  std::vector<FrameRow> rows(max_rows);
  std::vector<FrameRow> want_rows;
  const ScanResult got = scan(format, limit, data.data(), data.size(), rows.data(), max_rows, base);
  const ScanResult want = scan_slowly(format, limit, data, want_rows, max_rows, base);
  REQUIRE(got.consumed == want.consumed);
  REQUIRE(got.rows == want.rows);
  REQUIRE(got.stop == want.stop);
  REQUIRE(got.declared == want.declared);
  REQUIRE(got.frame_bytes == want.frame_bytes);
  REQUIRE(got.header_bytes == want.header_bytes);
  for (size_t i = 0; i < want.rows; i++) {
    REQUIRE(rows[i].start == want_rows[i].start);
    REQUIRE(rows[i].end == want_rows[i].end);
  }
}

} // namespace

TEST_CASE("scan finds in every format what reading header by header finds") {
  Random random(1);
  for (const FrameFormat &format : every_format()) {
    CAPTURE(int{format.length_bytes()});
    CAPTURE(format.length_adjustment());
    CAPTURE(format.strip());
    for (int round = 0; round < 12; round++) {
      Bytes stream;
      const bool steady = round % 2 == 0; // runs of equal sizes take the guessed way
      const size_t size = pick(random, 0, 60);
      for (int i = 0; i < 20; i++)
        append_frame(format, random_bytes(random, steady ? size : pick(random, 0, 60)), stream);
      if (round % 3 == 0) stream.resize(pick(random, 0, stream.size()));
      if (round % 4 == 1 && !stream.empty())
        stream[pick(random, 0, stream.size() - 1)] ^= static_cast<uint8_t>(random());
      compare(format, round % 5 == 4 ? 30 : 1000, stream, pick(random, 1, 30),
              static_cast<uint32_t>(random() % 999));
    }
  }
}

TEST_CASE("scan makes of noise in every format what reading header by header makes of it") {
  Random random(2);
  for (const FrameFormat &format : every_format())
    for (int round = 0; round < 20; round++) {
      Bytes noise = random_bytes(random, pick(random, 0, 80));
      for (uint8_t &byte : noise) byte = random() % 3 == 0 ? byte : static_cast<uint8_t>(byte % 5);
      compare(format, round % 2 == 0 ? UINT64_MAX : 20, noise, 100, 0);
    }
}

TEST_CASE("scan ends with need_more and nothing declared exactly on a boundary") {
  const Bytes stream = {0, 0, 0, 1, 'a', 0, 0, 0, 0};
  FrameRow rows[4];
  const ScanResult result = scan(FrameFormat(), 16, stream.data(), stream.size(), rows, 4, 100);
  CHECK(result.stop == ScanStop::need_more);
  CHECK(result.consumed == stream.size());
  CHECK(result.rows == 2);
  CHECK(result.frame_bytes == 0);
  CHECK(rows[0].start == 104);
  CHECK(rows[0].end == 105);
  CHECK(rows[1].start == 109);
  CHECK(rows[1].end == 109);
}

TEST_CASE("scan does not say rows_full when the table and the input end together") {
  const Bytes stream = {0, 0, 0, 0, 0, 0, 0, 0};
  FrameRow rows[2];
  CHECK(scan(FrameFormat(), 16, stream.data(), stream.size(), rows, 2, 0).stop == ScanStop::need_more);
  CHECK(scan(FrameFormat(), 16, stream.data(), stream.size(), rows, 1, 0).stop == ScanStop::rows_full);
  CHECK(scan(FrameFormat(), 16, stream.data(), stream.size(), rows, 0, 0).stop == ScanStop::rows_full);
  CHECK(scan(FrameFormat(), 16, nullptr, 0, rows, 0, 0).stop == ScanStop::need_more);
}

TEST_CASE("scan tells the sizes of the frame that is not whole") {
  const Bytes stream = {0, 0, 0, 2, 'a', 'b', 0, 0, 0, 9, 'x'};
  FrameRow rows[4];
  const ScanResult result = scan(FrameFormat(), 16, stream.data(), stream.size(), rows, 4, 0);
  CHECK(result.consumed == 6);
  CHECK(result.declared == 9);
  CHECK(result.frame_bytes == 13);
  CHECK(result.header_bytes == 4);
}

TEST_CASE("a format out of range is refused and leaves the old one") {
  FrameFormat format = make_format(spec_of(2));
  for (FormatSpec bad : {spec_of(5), spec_of(7), spec_of(9), spec_of(4, Endian::big, 65536),
                         spec_of(4, Endian::big, 0, 0, -2), spec_of(4, Endian::big, 0, 0, 65536)})
    CHECK_FALSE(FrameFormat::make(bad, format));
  CHECK(format.length_bytes() == 2);
  CHECK(FrameFormat::make(spec_of(4, Endian::big, 0, 0, 4), format));
  CHECK(format.is_plain_u32be());
  CHECK_FALSE(make_format(spec_of(4, Endian::big, 0, 0, 5)).is_plain_u32be());
  CHECK(make_format(spec_of(0, Endian::big, 7)).max_header() == 17);
}

// Frames cut anywhere come out whole, in linear time, in memory in proportion to the bytes received.
#include "formats.hpp"

#include <doctest/doctest.h>

using namespace framewire;
using namespace framewire::test;

namespace {

Bytes three_frames(const FrameFormat &format) {
  Bytes stream;
  append_frame(format, {'H', 'E', 'L', 'L', 'O'}, stream);
  append_frame(format, Bytes(40, 'x'), stream);
  append_frame(format, Bytes(130, 'y'), stream);
  return stream;
}

// A frame of `size` payload bytes that are not all the same.
Bytes big_frame(size_t size) {
  Bytes payload(size);
  for (size_t i = 0; i < size; i++) payload[i] = static_cast<uint8_t>(i * 31 >> 3);
  Bytes stream;
  append_frame(FrameFormat(), payload, stream);
  return stream;
}

} // namespace

TEST_CASE("every split point of a three-frame stream gives the same frames") {
  for (const FrameFormat &format : every_format()) {
    const Bytes stream = three_frames(format);
    const Heard whole = hear_whole(format, 1000, stream);
    for (size_t split = 0; split <= stream.size(); split++) {
      Feed feed(format, 1000, Reassembly::min_slab(format));
      feed.push(stream.data(), split);
      feed.push(stream.data() + split, stream.size() - split);
      REQUIRE(feed.end() == whole);
    }
    REQUIRE(hear(format, 1000, stream, {1}, Reassembly::min_slab(format)) == whole);
  }
}

TEST_CASE("end of input at every byte is clean on a boundary only, with every whole frame delivered") {
  const FrameFormat format;
  const Bytes stream = three_frames(format);
  for (size_t size = 0; size <= stream.size(); size++) {
    const Bytes part(stream.begin(), stream.begin() + static_cast<long>(size));
    const Heard heard = hear(format, 1000, part, {3}, 512);
    const bool boundary = size == 0 || size == 9 || size == 53 || size == 187;
    CHECK((heard.ending == Ending::boundary) == boundary);
    CHECK((heard.ending == Ending::truncated) == !boundary);
    CHECK(heard.frames.size() == (size >= 187 ? 3u : size >= 53 ? 2u : size >= 9 ? 1u : 0u));
  }
}

TEST_CASE("random chunks of random frames in every format, through slabs of every size") {
  Random random(3);
  for (const FrameFormat &format : every_format()) {
    Bytes stream;
    for (int i = 0; i < 30; i++)
      append_frame(format, random_bytes(random, pick(random, 0, random() % 8 == 0 ? 2000 : 100)), stream);
    if (random() % 2 == 0) stream.resize(pick(random, 0, stream.size()));
    const Heard whole = hear_whole(format, 5000, stream);
    for (int round = 0; round < 10; round++) {
      std::vector<size_t> chunks;
      for (int i = 0; i < 7; i++) chunks.push_back(pick(random, 1, round % 2 == 0 ? 20 : 900));
      const size_t slab = Reassembly::min_slab(format) << pick(random, 0, 6);
      REQUIRE(hear(format, 5000, stream, chunks, slab, pick(random, 1, 9)) == whole);
    }
  }
}

TEST_CASE("large frames are received into blocks of their own and handed over whole") {
  Random random(4);
  for (size_t size : {16 * 1024 - 4, 16 * 1024, 32 * 1024 + 1, 100000, 524288 - 4, 524288, 1 << 20}) {
    Bytes stream = {0, 0, 0, 1, 'a'};
    const Bytes frame = big_frame(size);
    for (int i = 0; i < 2; i++) stream.insert(stream.end(), frame.begin(), frame.end());
    stream.insert(stream.end(), {0, 0, 0, 1, 'b'});
    const Heard whole = hear_whole(FrameFormat(), 1 << 20, stream);
    REQUIRE(whole.frames.size() == 4);
    for (size_t slab : {1u << 16, 1u << 19})
      for (size_t chunk : {size_t{4096}, size_t{65536}, pick(random, 5000, 200000), stream.size()})
        REQUIRE(hear(FrameFormat(), 1 << 20, stream, {chunk, 7}, slab) == whole);
  }
}

TEST_CASE("a frame's block holds exactly that frame") {
  const Bytes frame = big_frame(200000);
  Feed feed(FrameFormat(), 1 << 20, 1 << 16);
  feed.push(frame);
  feed.push(frame);
  CHECK(feed.end().frames.size() == 2);
  CHECK(feed.large.largest == frame.size());
  CHECK(feed.large.live == 0);
}

TEST_CASE("one byte at a time costs time in proportion to the bytes") {
  for (size_t size : {size_t{60}, size_t{100000}, size_t{130000}, size_t{300000}}) {
    const Bytes frame = big_frame(size);
    Feed feed(FrameFormat(), 1 << 20, 1 << 19);
    for (uint8_t byte : frame) feed.push(&byte, 1);
    CHECK(feed.end().frames.size() == 1);
    // Once to keep it, less than once more by doubling (twice in a block), once into the slab.
    CHECK(feed.copied <= 4 * frame.size());
  }
}

TEST_CASE("a header of 64 KiB that drips costs time in proportion to the bytes") {
  for (uint8_t width : {0, 8}) {
    const FrameFormat format = make_format(spec_of(width, Endian::big, 65535));
    Bytes stream;
    append_frame(format, Bytes(3, 'z'), stream);
    Feed feed(format, 1000, 1 << 19);
    for (uint8_t byte : stream) feed.push(&byte, 1);
    CHECK(feed.end().frames.size() == 1);
    CHECK(feed.copied <= 4 * stream.size());
  }
}

TEST_CASE("memory of a first large frame is at most twice the bytes received, whatever is declared") {
  Random random(5);
  for (size_t size : {size_t{10}, size_t{1000}, size_t{120000}, size_t{140000}, size_t{4000000}}) {
    const Bytes frame = big_frame(size);
    for (size_t most : {size_t{1}, size_t{500}, size_t{70000}}) {
      Feed feed(FrameFormat(), 16 << 20, 1 << 19);
      size_t at = 0;
      const size_t stop = std::min<size_t>(frame.size(), most == 1 ? 40000 : frame.size());
      while (at < stop) {
        const size_t n = std::min(pick(random, 1, most), frame.size() - at);
        feed.push(frame.data() + at, n);
        at += n;
        const Reassembly &state = feed.reassembly();
        REQUIRE(state.reserved() <= std::max<size_t>(64, 2 * state.held()));
        REQUIRE(feed.large.live + feed.small.live == state.reserved());
        REQUIRE((state.held() > 0) == (at < frame.size()));
      }
    }
  }
}

TEST_CASE("a header that declares the limit and nothing behind it costs at most 64 bytes") {
  Feed feed(FrameFormat(), 16 << 20, 1 << 19);
  feed.push({1, 0, 0, 0});
  CHECK(feed.reassembly().header_whole());
  CHECK(feed.reassembly().reserved() <= 64);
  CHECK(feed.large.calls == 0);
}

TEST_CASE("a refused frame costs no memory, also when its header drips") {
  for (size_t chunk : {size_t{1}, size_t{4}, size_t{100}}) {
    Feed feed(FrameFormat(), 16 << 20, 1 << 19);
    const Bytes stream = {0, 0, 0, 1, 'a', 0xff, 0xff, 0xff, 0xff, 1, 2, 3};
    for (size_t at = 0; at < stream.size(); at += chunk)
      feed.push(stream.data() + at, std::min(chunk, stream.size() - at));
    CHECK(feed.end().ending == Ending::too_large);
    CHECK(feed.heard.declared == 0xffffffffu);
    CHECK(feed.heard.frames.size() == 1);
    CHECK(feed.small.largest <= 64);
    CHECK(feed.large.calls == 0);
  }
}

TEST_CASE("ten thousand empty frames through a table of three rows are all counted") {
  const Bytes stream(40000, 0);
  const Heard heard = hear(FrameFormat(), 10, stream, {1 << 16}, 1 << 16, 3);
  CHECK(heard.frames.size() == 10000);
  CHECK(heard.ending == Ending::boundary);
}

TEST_CASE("reset forgets the frame, and the next one starts anew") {
  Feed feed(FrameFormat(), 16 << 20, 1 << 16);
  const Bytes frame = big_frame(100000);
  for (size_t part : {size_t{2}, size_t{10}, size_t{50000}}) {
    feed.push(frame.data(), part);
    CHECK(feed.reassembly().held() == part);
    feed.reassembly().reset(feed.limits());
    CHECK(feed.reassembly().held() == 0);
    CHECK(feed.large.blocks + feed.small.blocks == 0);
  }
}

TEST_CASE("a connection without an unfinished frame holds nothing") {
  Feed feed(FrameFormat(), 16 << 20, 1 << 19);
  feed.push({0, 0, 0, 9, 'a'});
  feed.push({'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'});
  CHECK(feed.reassembly().reserved() == 0);
  CHECK(feed.small.blocks == 0);
  CHECK(sizeof(Reassembly) <= 48);
}

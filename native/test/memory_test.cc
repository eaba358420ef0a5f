// Every allocation fails once. What was whole before is delivered, nothing leaks, and the outcome is
// out_of_memory.
#include "formats.hpp"

#include <doctest/doctest.h>

using namespace framewire;
using namespace framewire::test;

namespace {

Bytes mixed_stream() {
  Bytes stream;
  for (size_t size : {10u, 500u, 0u, 9000u, 70000u, 3u, 300000u, 20u})
    append_frame(FrameFormat(), Bytes(size, static_cast<uint8_t>(size)), stream);
  return stream;
}

struct Run {
  Heard heard;
  size_t small_calls;
  size_t large_calls;
};

Run run(const Bytes &stream, size_t chunk, size_t fail_small, size_t fail_large) {
  Feed feed(FrameFormat(), 1 << 20, 1 << 16);
  feed.small.fail_at = fail_small;
  feed.large.fail_at = fail_large;
  for (size_t at = 0; at < stream.size(); at += chunk)
    feed.push(stream.data() + at, std::min(chunk, stream.size() - at));
  const Run result{feed.end(), feed.small.calls, feed.large.calls};
  feed.reassembly().reset(feed.limits());
  CHECK(feed.small.blocks == 0);
  CHECK(feed.large.blocks == 0);
  CHECK(feed.small.live + feed.large.live == 0);
  return result;
}

void check_prefix(const Heard &part, const Heard &whole) {
  CHECK(part.ending == Ending::out_of_memory);
  REQUIRE(part.frames.size() <= whole.frames.size());
  CHECK(std::equal(part.frames.begin(), part.frames.end(), whole.frames.begin()));
}

} // namespace

TEST_CASE("every n-th allocation fails: an in-order prefix, out_of_memory, nothing leaks") {
  const Bytes stream = mixed_stream();
  for (size_t chunk : {size_t{37}, size_t{1000}, size_t{30000}, size_t{1 << 16}}) {
    const Run whole = run(stream, chunk, 0, 0);
    CHECK(whole.heard.ending == Ending::boundary);
    CHECK(whole.heard.frames.size() == 8);
    CHECK(whole.small_calls + whole.large_calls > 0);
    for (size_t n = 1; n <= whole.small_calls; n++) check_prefix(run(stream, chunk, n, 0).heard, whole.heard);
    for (size_t n = 1; n <= whole.large_calls; n++) check_prefix(run(stream, chunk, 0, n).heard, whole.heard);
  }
}

TEST_CASE("frames in the same read as a failed allocation are delivered first") {
  Feed feed(FrameFormat(), 1 << 20, 1 << 16);
  feed.small.fail_at = 1;
  Bytes stream{0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b', 0, 0, 0, 99};
  stream.insert(stream.end(), 30, 'c');
  feed.push(stream);
  CHECK(feed.heard.ending == Ending::out_of_memory);
  CHECK(feed.heard.frames.size() == 2);
  CHECK(feed.heard.declared == 99);
  CHECK(feed.heard.received == 30);
}

TEST_CASE("the first few bytes of a frame need no memory of their own") {
  Feed feed(FrameFormat(), 1 << 20, 1 << 16);
  feed.push({0, 0});
  feed.push({0, 40, 'a', 'b'});
  CHECK(feed.reassembly().held() == 6);
  CHECK(feed.reassembly().reserved() == 0);
  CHECK(feed.small.calls == 0);
  feed.push(Bytes(38, 'c'));
  CHECK(feed.heard.frames.size() == 1);
  CHECK(feed.small.calls == 0);
}

TEST_CASE("HeapMemory gives what it is asked for and takes it back") {
  HeapMemory memory;
  Block block;
  REQUIRE(memory.acquire(100, block));
  CHECK(block.size == 100);
  std::memset(block.data, 1, 100);
  memory.release(block);
  CHECK(block.data == nullptr);
  memory.release(block);
}

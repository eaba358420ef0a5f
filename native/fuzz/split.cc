// Any bytes, cut anywhere, through any slab and table, are heard as they are in one piece; memory stays
// within what was received.
#include "input.hpp"

using namespace framewire;
using namespace framewire::test;

namespace {

void check_memory(const Feed &feed) {
  const Reassembly &state = feed.reassembly();
  if (state.reserved() > std::max<size_t>(64, 2 * state.held()))
    fuzz::fail("more memory than twice the bytes received");
  if (feed.large.live + feed.small.live != state.reserved()) fuzz::fail("memory that nobody accounts for");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::Input input(data, size);
  const FrameFormat format = input.format();
  const uint8_t limits = input.byte();
  const uint64_t max_payload = limits & 1 ? UINT64_MAX : limits * 16u;
  const size_t slab = Reassembly::min_slab(format) << (limits >> 1 & 7);
  const size_t max_rows = 1u + input.byte() % 16;
  uint32_t cuts = input.word() | 1;
  const Bytes stream = input.rest();

  const Heard whole = hear_whole(format, max_payload, stream);
  Feed feed(format, max_payload, slab, max_rows);
  for (size_t at = 0; at < stream.size();) {
    cuts = cuts * 1664525u + 1013904223u;
    const size_t most = cuts & 0x10000 ? 3 : cuts & 0x20000 ? 70 : 5000;
    const size_t n = std::min<size_t>(1 + (cuts >> 20) % most, stream.size() - at);
    feed.push(stream.data() + at, n);
    check_memory(feed);
    at += n;
  }
  if (!(feed.end() == whole)) fuzz::fail("the cut stream was heard otherwise than the whole one");
  if (feed.copied > 4 * stream.size() + 64) fuzz::fail("bytes were copied more than four times");
  return 0;
}

// Valid frames of chosen sizes, large ones among them, in chosen chunks, with an allocation that fails: what
// is heard is an in-order prefix of what was sent, all of it when nothing failed, and nothing is left behind.
#include "input.hpp"

using namespace framewire;
using namespace framewire::test;

namespace {

size_t size_from(fuzz::Input &input) {
  const uint8_t kind = input.byte();
  if (kind < 160) return kind;
  return kind < 250 ? size_t{kind} * 37 : input.word() % 100000;
}

struct Sent {
  Bytes stream;
  std::vector<Bytes> payloads;
};

Sent write_frames(const FrameFormat &format, fuzz::Input &input) {
  Sent sent;
  // Short streams, many of them: what goes wrong goes wrong in the first 100 KiB.
  for (int frames = 1 + input.byte() % 12; frames > 0 && sent.stream.size() < 100 * 1024; frames--) {
    Bytes payload(size_from(input));
    uint8_t value = input.byte();
    for (uint8_t &byte : payload) byte = value = static_cast<uint8_t>(value * 5 + 1);
    const size_t before = sent.stream.size();
    if (!append_frame(format, payload, sent.stream)) continue;
    // As it lies on the wire: the field may be a part of it.
    const auto end = sent.stream.end();
    sent.payloads.emplace_back(end - static_cast<long>(payload.size()), end);
    if (sent.stream.size() - before < payload.size()) fuzz::fail("a frame is shorter than its payload");
  }
  return sent;
}

void push_in_chunks(Feed &feed, const Bytes &stream, fuzz::Input &input) {
  for (size_t at = 0; at < stream.size();) {
    const size_t n = std::min(stream.size() - at, input.empty() ? 4096 : 1 + size_from(input));
    feed.push(stream.data() + at, n);
    at += n;
  }
}

void compare(const Heard &heard, const Sent &sent, bool may_fail) {
  if (heard.frames.size() > sent.payloads.size()) fuzz::fail("more frames than were sent");
  for (size_t i = 0; i < heard.frames.size(); i++)
    if (heard.frames[i].payload != sent.payloads[i]) fuzz::fail("another frame than was sent");
  if (heard.ending == Ending::out_of_memory && may_fail) return;
  if (heard.ending != Ending::boundary || heard.frames.size() != sent.payloads.size())
    fuzz::fail("frames were lost");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::Input input(data, size);
  const FrameFormat format = input.format();
  const uint8_t setting = input.byte();
  const size_t slab = Reassembly::min_slab(format) << (setting & 7);
  Feed feed(format, UINT64_MAX, slab, 1u + (setting >> 3) % 8);
  feed.small.fail_at = setting & 0x40 ? input.byte() : 0;
  feed.large.fail_at = setting & 0x80 ? input.byte() : 0;
  const Sent sent = write_frames(format, input);
  push_in_chunks(feed, sent.stream, input);
  compare(feed.end(), sent, feed.small.fail_at + feed.large.fail_at > 0);
  if (feed.copied > 4 * sent.stream.size() + 64) fuzz::fail("bytes were copied more than four times");
  feed.reassembly().reset(feed.limits());
  if (feed.small.blocks + feed.large.blocks != 0) fuzz::fail("memory was left behind");
  return 0;
}

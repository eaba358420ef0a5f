// What encode writes is read back as one frame with the same payload, and its plan says the right sizes.
#include "input.hpp"

using namespace framewire;
using namespace framewire::test;

namespace {

// Bytes of the field that the payload carries are the encoder's; all others come back.
void check_payload(const FrameFormat &format, const Bytes &frame, const Bytes &sent, const Bytes &got) {
  if (got.size() != sent.size()) fuzz::fail("another payload size came back");
  const size_t strip = frame.size() - sent.size();
  for (size_t i = 0; i < got.size(); i++) {
    const size_t at = strip + i;
    const bool field = at >= format.length_offset() && at < format.max_header();
    if (!field && got[i] != sent[i]) fuzz::fail("another payload came back");
  }
}

void check_header(const FrameFormat &format, const Bytes &frame, size_t payload) {
  Bytes header(frame.size() - payload + format.max_header());
  size_t len = 0;
  if (!encode_header(format, payload, header.data(), len)) return;
  if (len != frame.size() - payload || len != header_size(format, payload))
    fuzz::fail("encode_header and encode disagree on the size");
  if (!std::equal(header.begin(), header.begin() + static_cast<long>(len), frame.begin()))
    fuzz::fail("encode_header and encode disagree on the bytes");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::Input input(data, size);
  const FrameFormat format = input.format();
  const size_t longer = input.byte() % 16 == 1 ? input.word() % 70000 : 0;
  Bytes payload = input.rest();
  payload.resize(payload.size() + longer);
  Bytes frame;
  if (!append_frame(format, payload, frame)) return 0;
  check_header(format, frame, payload.size());
  const size_t slab = std::max(Reassembly::min_slab(format), 2 * frame.size());
  const Heard heard = hear(format, UINT64_MAX, frame, {frame.size()}, slab, 4);
  if (heard.ending != Ending::boundary || heard.frames.size() != 1)
    fuzz::fail("what encode wrote is not one frame");
  check_payload(format, frame, payload, heard.frames[0].payload);
  return 0;
}

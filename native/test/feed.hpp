// A reader as the transport has one, over bytes instead of a socket: a slab, a table, one Reassembly. Knows
// the contract in reassembly.hpp and spoils every byte of the slab that the contract says may be overwritten.
#pragma once

#include "../core/reassembly.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace framewire::test {

using Bytes = std::vector<uint8_t>;

// What a reader saw, in stream positions.
struct Frame {
  uint64_t start;
  uint64_t end;
  Bytes payload;
  bool operator==(const Frame &other) const {
    return start == other.start && end == other.end && payload == other.payload;
  }
};

enum class Ending { open, boundary, truncated, too_large, invalid_length, out_of_memory };

struct Heard {
  std::vector<Frame> frames;
  Ending ending = Ending::open;
  bool declared_known = false;
  uint64_t declared = 0;
  uint64_t received = 0;
  Hint hint = Hint::none;
  bool operator==(const Heard &other) const {
    return frames == other.frames && ending == other.ending && declared_known == other.declared_known &&
           declared == other.declared && (ending != Ending::truncated || received == other.received);
  }
};

// malloc that counts, and fails at the n-th call.
class CountingMemory final : public MemorySource {
public:
  size_t calls = 0;
  size_t fail_at = 0; // 0: never; 1: the first call
  size_t live = 0;
  size_t blocks = 0;
  size_t largest = 0;

  bool acquire(size_t size, Block &out) noexcept override {
    if (++calls == fail_at || !heap_.acquire(size, out)) return false;
    live += size;
    blocks++;
    largest = std::max(largest, size);
    return true;
  }
  void release(Block &block) noexcept override {
    live -= block.size;
    blocks -= block.data != nullptr ? 1 : 0;
    heap_.release(block);
  }

private:
  HeapMemory heap_;
};

class Feed {
public:
  Feed(const FrameFormat &format, uint64_t max_payload, size_t slab_size, size_t max_rows = 64)
      : format_(format), slab_(new uint8_t[slab_size]), slab_size_(slab_size), rows_(max_rows) {
    limits_.format = &format_;
    limits_.max_payload = max_payload;
    limits_.slab_size = slab_size;
    limits_.large = &large;
    limits_.small = &small;
    limits_.copied = &copied;
  }
  ~Feed() { reassembly_.reset(limits_); }

  CountingMemory large;
  CountingMemory small;
  uint64_t copied = 0;
  size_t reads = 0;
  Heard heard;
  const Reassembly &reassembly() const { return reassembly_; }
  Reassembly &reassembly() { return reassembly_; }
  const Reassembly::Limits &limits() const { return limits_; }

  // One chunk of the stream, in as many reads as it takes.
  void push(const uint8_t *data, size_t size) {
    while (size > 0 && heard.ending == Ending::open) {
      const size_t n = read(data, size);
      data += n;
      size -= n;
    }
  }
  void push(const Bytes &bytes) { push(bytes.data(), bytes.size()); }

  // End of input.
  const Heard &end() {
    if (heard.ending != Ending::open) return heard;
    heard.ending = reassembly_.held() > 0 ? Ending::truncated : Ending::boundary;
    if (reassembly_.held() > 0) {
      reassembly_.describe(limits_, true, out_);
      note_details();
    }
    return heard;
  }

private:
  size_t read(const uint8_t *data, size_t size) {
    Reassembly::Target target;
    if (!find_target(target)) return size;
    const size_t n = std::min(size, target.room);
    reads++;
    if (target.own != nullptr) {
      std::memcpy(target.own, data, n);
      reassembly_.landed_own(limits_, n, out_);
      take();
      return n;
    }
    uint8_t *const begin = slab_.get() + cursor_;
    std::memset(begin, 0xee, target.gap);
    std::memcpy(begin + target.gap, data, n);
    landed(target.gap + n, n);
    return n;
  }

  bool find_target(Reassembly::Target &target) {
    bool ok = reassembly_.target(limits_, slab_size_ - cursor_, target);
    if (ok && target.needs_slab) {
      cursor_ = 0;
      ok = reassembly_.target(limits_, slab_size_, target);
    }
    if (!ok) heard.ending = Ending::out_of_memory;
    return ok;
  }

  void landed(size_t in_slab, size_t n) {
    uint8_t *const slab = slab_.get();
    const size_t end = cursor_ + in_slab;
    for (;;) {
      reassembly_.landed_slab(limits_, slab + cursor_, n, rows_.data(), rows_.size(),
                              static_cast<uint32_t>(cursor_), out_);
      take();
      cursor_ += out_.consumed;
      if (out_.stop != Landed::rows_full) break;
      n = out_.rest;
    }
    std::memset(slab + cursor_, 0xee, end - cursor_);
  }

  void take() {
    for (size_t i = 0; i < out_.rows; i++) {
      const FrameRow &row = rows_[i];
      heard.frames.push_back({wire_ + (row.start - cursor_), wire_ + (row.end - cursor_),
                              Bytes(slab_.get() + row.start, slab_.get() + row.end)});
    }
    wire_ += out_.consumed;
    if (out_.stop == Landed::large_done) {
      const uint8_t *const data = out_.large.data;
      heard.frames.push_back(
          {wire_ + out_.start, wire_ + out_.end, Bytes(data + out_.start, data + out_.end)});
      wire_ += out_.end;
      large.release(out_.large);
    }
    note_error();
  }

  void note_error() {
    if (out_.stop == Landed::too_large)
      heard.ending = Ending::too_large;
    else if (out_.stop == Landed::invalid_length)
      heard.ending = Ending::invalid_length;
    else if (out_.stop == Landed::out_of_memory)
      heard.ending = Ending::out_of_memory;
    if (heard.ending != Ending::open) note_details();
  }

  void note_details() {
    heard.declared_known = out_.declared_known;
    heard.declared = out_.declared_known ? out_.declared : 0;
    heard.received = out_.received;
    const bool greets = heard.frames.empty() && out_.greeting != Hint::none;
    heard.hint = greets ? out_.greeting : out_.suspicion.hint;
  }

  FrameFormat format_;
  Reassembly::Limits limits_;
  Reassembly reassembly_;
  Outcome out_;
  std::unique_ptr<uint8_t[]> slab_;
  size_t slab_size_;
  size_t cursor_ = 0;
  uint64_t wire_ = 0;
  std::vector<FrameRow> rows_;
};

// The whole stream in the given chunk sizes, over and over.
inline Heard hear(const FrameFormat &format, uint64_t max_payload, const Bytes &stream,
                  const std::vector<size_t> &chunks, size_t slab_size, size_t max_rows = 64) {
  Feed feed(format, max_payload, slab_size, max_rows);
  size_t at = 0;
  for (size_t i = 0; at < stream.size(); i++) {
    const size_t n = std::min(chunks[i % chunks.size()], stream.size() - at);
    feed.push(stream.data() + at, n);
    at += n;
  }
  return feed.end();
}

inline Heard hear_whole(const FrameFormat &format, uint64_t max_payload, const Bytes &stream) {
  const size_t slab = std::max(stream.size() * 4 + 4, Reassembly::min_slab(format));
  return hear(format, max_payload, stream, {stream.size() + 1}, slab, stream.size() + 1);
}

} // namespace framewire::test

// The unfinished frame of one connection. Knows a format, a limit and where memory comes from; it must not
// know sockets, slabs as objects, or JS. It is small because it sits in every idle connection.
//
// The reader owns a slab that all its connections share. One read is:
//
//   Reassembly::Target t;
//   if (!r.target(limits, slab_size - cursor, t)) -> out of memory
//   if (t.needs_slab)  -> deliver what lies in the slab, set the cursor to 0, call target() again
//   t.own != nullptr:  n = read(t.own, up to t.room);                    r.landed_own(limits, n, out)
//   t.own == nullptr:  n = read(slab + cursor + t.gap, up to t.room);    r.landed_slab(limits, slab + cursor,
//   n, ...)
//
// Between target() and its landed_*() the reader calls nothing else here and leaves the gap alone. A read
// that brought nothing needs no call. landed_slab then says:
//   rows      frames that lie whole in the slab, payload bounds counted from `base` (normally the cursor);
//   consumed  bytes from `begin` on that they occupy: the cursor moves behind them, and they stay untouched
//   until
//             they are delivered. What lies behind them was copied away and may be overwritten;
//   stop      need_more   read on.
//             rows_full   the table is full; the last `rest` bytes of input still lie at begin + consumed and
//             MUST be
//                         given to landed_slab (begin + consumed, rest) before the next target(); nothing is
//                         held.
//             others      as below. The frames in `rows` come first.
// Errors (too_large, invalid_length, out_of_memory) are final: the next call is reset().
#pragma once

#include "memory.hpp"
#include "scan.hpp"
#include "sniff.hpp"
#include <algorithm>
#include <utility>

namespace framewire {

// What came of a read.
enum class Landed : uint8_t {
  need_more,
  rows_full,      // from landed_slab only
  large_done,     // from landed_own only: `large` is a whole frame, and the caller's from now on
  too_large,      // declares more than max_payload
  invalid_length, // negative, shorter than what is stripped, or no varint
  out_of_memory,  // a frame's bytes found no room; those are lost
};

struct Outcome {
  Landed stop = Landed::need_more;
  size_t rows = 0;
  size_t consumed = 0;
  size_t rest = 0;
  // large_done: payload is large.data[start, end). The block goes back to Limits::large, once.
  Block large;
  size_t start = 0;
  size_t end = 0;
  // Errors, and describe(): payload length of the frame at fault where one is known; bytes of its payload
  // that are here, or of its header while `declared` is not known; its first bytes.
  bool declared_known = false;
  uint64_t declared = 0;
  size_t received = 0;
  Hint greeting = Hint::none; // http, tls: goes before `suspicion`, but only on a connection's first frame
  Suspicion suspicion;
  size_t head_size = 0;
  uint8_t head[16];
};

class Reassembly {
public:
  // The same for all connections of a listener, so it is passed in and not stored. All pointers outlive the
  // call; `large` and `small` must stay the same ones while anything is held.
  struct Limits {
    const FrameFormat *format = nullptr;
    uint64_t max_payload = 0;
    MemorySource *large = nullptr;
    // Of the slab reads go to. At least min_slab(format).
    size_t slab_size = 0;
    // For tails of small frames and for headers; nullptr: malloc.
    MemorySource *small = nullptr;
    // Bytes a large frame may reserve ahead of what has arrived of it, which is 16 times as much at most: for
    // a connection that has delivered as much before. 0: sizes double.
    size_t trusted = 0;
    // Counts bytes that were copied because a frame did not come in one piece; nullptr: nobody asks.
    uint64_t *copied = nullptr;
  };

  // Where the next read goes.
  struct Target {
    uint8_t *own = nullptr; // != nullptr: read at most `room` bytes there
    size_t room = 0;        // most bytes to read
    size_t gap = 0;         // own == nullptr: bytes left free at the slab's cursor, the read goes behind them
    bool needs_slab = false; // slab_room is too small: empty the slab first. Never with half of the slab free
  };

  Reassembly() noexcept : held_(0), in_large_(0), in_place_(0) {}
  // Nothing may be held: reset() comes first (asserted).
  ~Reassembly();
  Reassembly(const Reassembly &) = delete;
  Reassembly &operator=(const Reassembly &) = delete;

  // Smallest slab that works with `format`.
  static size_t min_slab(const FrameFormat &format) noexcept;

  // `slab_room`: bytes free in the slab behind its cursor. false: memory could not be had (the frame's bytes
  // are still held; reset() is the next call).
  bool target(const Limits &limits, size_t slab_room, Target &out) noexcept;

  // `n` bytes (1..room) were read behind the gap that starts at `begin`. Rows are counted from `begin` plus
  // `base`.
  void landed_slab(const Limits &limits, uint8_t *begin, size_t n, FrameRow *rows, size_t max_rows,
                   uint32_t base, Outcome &out) noexcept;

  // `n` bytes (1..room) were read into `own`.
  void landed_own(const Limits &limits, size_t n, Outcome &out) noexcept;

  // The source of a large frame's memory has not lost it meanwhile. If it has, the next call is reset().
  bool intact(MemorySource &large) const noexcept { return !in_large_ || large.holds(block_); }

  // Bytes of an unfinished frame that wait here. > 0 at end of input: the frame was cut off.
  size_t held() const noexcept { return held_; }
  // Memory held for them, bytes: never more than twice held(), or 64, or what Limits::trusted allows. None
  // for the first few.
  size_t reserved() const noexcept { return in_place_ ? 0 : block_.size; }
  // Its header is whole, so the body is what is waited for.
  bool header_whole() const noexcept { return wire_ != 0; }
  // Wire size of the unfinished frame; 0 while its header is not whole.
  uint64_t frame_bytes() const noexcept { return wire_; }
  // Of it, what has not arrived; 0 while its header has not.
  size_t missing() const noexcept {
    return wire_ > held_ ? static_cast<size_t>(std::min<uint64_t>(wire_ - held_, SIZE_MAX)) : 0;
  }
  // What is known of the unfinished frame (received, declared, hints, head): what ERR_FRAME_TRUNCATED or a
  // deadline reports. `cut_off`: the input has ended, so a length that counts its header can be told.
  void describe(const Limits &limits, bool cut_off, Outcome &out) const noexcept;

  // Forgets the frame and gives its memory back. Legal at any time except between target() and its landed_*()
  // while the read is still under way.
  void reset(const Limits &limits) noexcept;
  void reset(MemorySource *large, MemorySource *small = nullptr) noexcept;

private:
  // No object is as large as a quarter of what a size_t counts.
  void set_held(size_t bytes) noexcept { held_ = bytes & (SIZE_MAX >> 2); }
  const uint8_t *bytes() const noexcept {
    return in_place_ ? reinterpret_cast<const uint8_t *>(&block_) : block_.data;
  }
  uint8_t *bytes() noexcept { return const_cast<uint8_t *>(std::as_const(*this).bytes()); }
  size_t room() const noexcept { return in_place_ ? sizeof block_ : block_.size; }
  bool join(const Limits &limits, uint8_t *begin, size_t n, Outcome &out) noexcept;
  bool hold(const Limits &limits, const uint8_t *from, size_t n, bool more) noexcept;
  bool move_to(const Limits &limits, size_t size, bool large) noexcept;

  Block block_; // where the held bytes are
  uint64_t held_ : 62;
  uint64_t in_large_ : 1; // block_ came from Limits::large, and reads go straight into it
  uint64_t in_place_ : 1; // the held bytes are so few that they lie where block_ does
  uint64_t wire_ = 0;     // wire size of the frame, 0 while unknown
};

} // namespace framewire

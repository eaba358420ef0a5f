// Collects a frame that did not come in one piece. Every byte is copied a bounded number of times: once into
// own memory, at most twice more by doubling (the first few once more still), once into the slab when the
// frame is whole.
#include "reassembly.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace framewire {

static_assert(sizeof(Reassembly) <= 40, "sits in every idle connection");

namespace {

// What malloc rounds up to anyway.
constexpr size_t kSmallest = 24;
// Bytes of a large frame that have to be here before it gets a Block: a header alone must cost nothing.
constexpr size_t kLargeFrom = 16 * 1024;

using Limits = Reassembly::Limits;

// Just over a quarter, so that a payload of a quarter and its header are not.
bool is_large(const Limits &limits, uint64_t wire) noexcept {
  return wire > limits.slab_size / 4 + limits.slab_size / 1024;
}

// A trusted connection gets the rest of a frame's memory in one piece as soon as this part of it is here.
constexpr size_t kAhead = 16;

size_t large_from(const Limits &limits) noexcept {
  return std::min(kLargeFrom, limits.slab_size / 4);
}

// A frame that starts in the held bytes and goes on in the new ones, read as if they lay in one piece.
struct TwoPieces {
  const uint8_t *first;
  size_t first_size;
  const uint8_t *second;
  size_t second_size;

  size_t size() const noexcept { return first_size + second_size; }
  // Copies bytes [from, from + most) as far as they are there. Returns how many.
  size_t copy(size_t from, size_t most, uint8_t *out) const noexcept {
    if (from >= size()) return 0;
    const size_t count = std::min(most, size() - from);
    const size_t a = from < first_size ? std::min(count, first_size - from) : 0;
    if (a > 0) std::memcpy(out, first + from, a);
    if (count > a) std::memcpy(out + a, second + (from + a - first_size), count - a);
    return count;
  }
};

struct FieldBytes {
  uint8_t bytes[kMaxVarint];
  size_t size;

  // Of the frame that begins at `at`.
  FieldBytes(const Limits &limits, const TwoPieces &frame, size_t at = 0) noexcept
      : size(frame.copy(at + limits.format->length_offset(), sizeof bytes, bytes)) {}
};

Header read_header(const Limits &limits, const TwoPieces &frame) noexcept {
  const FieldBytes field(limits, frame);
  return limits.format->read(field.bytes, field.size, limits.max_payload);
}

// Fills in what is known of the frame at fault. Rows and consumed stay as they are.
void report(const Limits &limits, const TwoPieces &frame, Landed stop, bool cut_off, Outcome &out) noexcept {
  const FieldBytes field(limits, frame);
  const Header header = limits.format->read(field.bytes, field.size, limits.max_payload);
  out.stop = stop;
  out.declared_known = header.state == HeaderState::whole || header.state == HeaderState::too_large;
  out.declared = header.payload;
  // A frame refused by its header has no payload here; `start` is 0 then and says nothing.
  out.received = header.state == HeaderState::whole
                     ? frame.size() - std::min<size_t>(frame.size(), header.start)
                     : frame.size();
  out.head_size = frame.copy(0, sizeof out.head, out.head);
  out.greeting = sniff_greeting(out.head, out.head_size);
  out.suspicion =
      sniff_field(*limits.format, limits.max_payload, field.bytes, field.size, cut_off ? frame.size() : 0);
  if (out.suspicion.hint != Hint::other_endian || out.suspicion.wire >= frame.size()) return;
  const FieldBytes next(limits, frame, static_cast<size_t>(out.suspicion.wire));
  if (!ends_or_goes_on(*limits.format, limits.max_payload, next.bytes, next.size)) out.suspicion = {};
}

void clear(Outcome &out) noexcept {
  out.stop = Landed::need_more;
  out.rows = out.consumed = out.rest = 0;
  out.large = Block{};
  out.start = out.end = 0;
  out.declared_known = false;
  out.declared = 0;
  out.received = out.head_size = 0;
  out.greeting = Hint::none;
  out.suspicion = Suspicion{};
}

// Limits::small, or malloc.
class SmallMemory {
public:
  explicit SmallMemory(MemorySource *given) noexcept : source_(given != nullptr ? given : &heap_) {}
  MemorySource *source() noexcept { return source_; }

private:
  HeapMemory heap_;
  MemorySource *source_;
};

} // namespace

Reassembly::~Reassembly() {
  assert(held_ == 0 && block_.data == nullptr);
}

size_t Reassembly::min_slab(const FrameFormat &format) noexcept {
  // Half of it always has room for a header that is still unfinished.
  return std::max(2 * format.max_header(), 4 * kSmallest);
}

bool Reassembly::target(const Limits &limits, size_t slab_room, Target &out) noexcept {
  assert(limits.slab_size >= min_slab(*limits.format));
  out = Target{};
  if (in_large_) {
    if (held_ == block_.size && !hold(limits, nullptr, 0, true)) return false;
    out.own = block_.data + held_;
    out.room =
        block_.size - held_; // the block is never larger than the frame, so no byte of the next one gets in
    return true;
  }
  // A frame that the slab may hold gets room for all of it, so that one read can finish it.
  const bool in_slab = wire_ != 0 && !is_large(limits, wire_);
  const size_t least = in_slab ? static_cast<size_t>(wire_) : held_ + 1;
  if (slab_room < least) {
    out.needs_slab = true;
    return true;
  }
  out.gap = held_;
  out.room = slab_room - held_;
  return true;
}

void Reassembly::landed_slab(const Limits &limits, uint8_t *begin, size_t n, FrameRow *rows, size_t max_rows,
                             uint32_t base, Outcome &out) noexcept {
  assert(!in_large_);
  clear(out);
  const size_t size = held_ + n;
  if (held_ > 0 && !join(limits, begin, n, out)) return;
  const ScanResult found = scan(*limits.format, limits.max_payload, begin, size, rows, max_rows, base);
  out.rows = found.rows;
  out.consumed = found.consumed;
  const size_t left = size - found.consumed;
  if (left == 0) return;
  const uint8_t *const rest = begin + found.consumed;
  switch (found.stop) {
  case ScanStop::need_more:
    wire_ = found.frame_bytes;
    if (!hold(limits, rest, left, false))
      report(limits, {nullptr, 0, rest, left}, Landed::out_of_memory, false, out);
    break;
  case ScanStop::rows_full:
    out.stop = Landed::rows_full;
    out.rest = left;
    break;
  case ScanStop::too_large: report(limits, {nullptr, 0, rest, left}, Landed::too_large, false, out); break;
  case ScanStop::invalid_length:
    report(limits, {nullptr, 0, rest, left}, Landed::invalid_length, false, out);
    break;
  }
}

// The held bytes and `n` new ones behind the gap. true: the frame is whole, and lies at `begin` in one piece.
bool Reassembly::join(const Limits &limits, uint8_t *begin, size_t n, Outcome &out) noexcept {
  const TwoPieces both{bytes(), held_, begin + held_, n};
  if (wire_ == 0) {
    const Header header = read_header(limits, both);
    if (header.state == HeaderState::too_large || header.state == HeaderState::invalid_length) {
      report(limits, both,
             header.state == HeaderState::too_large ? Landed::too_large : Landed::invalid_length, false, out);
      return false;
    }
    wire_ = header.wire;
  }
  if (wire_ == 0 || both.size() < wire_) {
    if (!hold(limits, both.second, n, false)) report(limits, both, Landed::out_of_memory, false, out);
    return false;
  }
  std::memcpy(begin, bytes(), held_);
  if (limits.copied != nullptr) *limits.copied += held_;
  reset(limits);
  return true;
}

void Reassembly::landed_own(const Limits &limits, size_t n, Outcome &out) noexcept {
  assert(in_large_ && n <= block_.size - held_);
  clear(out);
  set_held(held_ + n);
  if (held_ < wire_) return;
  const Header header = read_header(limits, {block_.data, held_, nullptr, 0});
  out.stop = Landed::large_done;
  out.start = static_cast<size_t>(header.start);
  out.end = held_;
  out.large = block_;
  block_ = Block{};
  reset(limits);
}

// Puts `n` bytes behind those held, in more memory if it must be (or if `more`). false: none to be had.
bool Reassembly::hold(const Limits &limits, const uint8_t *from, size_t n, bool more) noexcept {
  const size_t need = held_ + n;
  const bool large = wire_ != 0 && is_large(limits, wire_) && need >= large_from(limits);
  if (held_ == 0 && need <= sizeof block_ && !large) in_place_ = true;
  if (need > room() || large != in_large_ || more) {
    // The first piece of a small frame gets what it needs; from then on sizes double.
    size_t want = large || held_ > 0 ? 2 * need : need;
    want = std::max(want, kSmallest);
    if (large && kAhead * need >= std::min<uint64_t>(wire_, limits.trusted))
      want = std::max(want, limits.trusted);
    if (wire_ != 0) want = static_cast<size_t>(std::min<uint64_t>(want, wire_));
    if (!move_to(limits, want, large)) return false;
  }
  if (n > 0) std::memcpy(bytes() + held_, from, n);
  set_held(need);
  if (limits.copied != nullptr) *limits.copied += n;
  return true;
}

bool Reassembly::move_to(const Limits &limits, size_t size, bool large) noexcept {
  SmallMemory small(limits.small);
  Block next;
  if (!(large ? limits.large : small.source())->acquire(size, next)) return false;
  if (held_ > 0) std::memcpy(next.data, bytes(), held_);
  if (limits.copied != nullptr) *limits.copied += held_;
  if (!in_place_ && block_.data != nullptr) (in_large_ ? limits.large : small.source())->release(block_);
  block_ = next;
  in_place_ = false;
  in_large_ = large;
  return true;
}

void Reassembly::describe(const Limits &limits, bool cut_off, Outcome &out) const noexcept {
  clear(out);
  report(limits, {bytes(), held_, nullptr, 0}, Landed::need_more, cut_off, out);
}

void Reassembly::reset(const Limits &limits) noexcept {
  reset(limits.large, limits.small);
}

void Reassembly::reset(MemorySource *large, MemorySource *small) noexcept {
  if (in_place_)
    block_ = Block{};
  else if (block_.data != nullptr)
    (in_large_ ? large : SmallMemory(small).source())->release(block_);
  held_ = 0;
  wire_ = 0;
  in_large_ = in_place_ = false;
}

} // namespace framewire

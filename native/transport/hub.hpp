// The hub of one event loop: the slab all connections read into, the tables that name what arrived, and the
// turn, in which everything that happened since the last one crosses to the owner in one call. Knows no
// Node-API.
//
// Memory: the owner allocates everything in `HubMemory` and keeps it alive until `close` has called back.
#pragma once

#include "../core/memory.hpp"
#include "../core/scan.hpp"
#include "deadline.hpp"
#include <cstddef>
#include <cstdint>
#include <uv.h>

namespace framewire {

class Connection;
class Listener;

// A row of the frames table's companion: which connection, and where its rows are.
struct FrameRun {
  uint32_t slot;
  uint32_t first; // index of the first row; for a large frame its payload's start in its own block
  uint32_t count; // rows; for a large frame its payload's end in its own block
  uint32_t large; // 1: one frame in a block of its own, to be fetched with `take_large`
};

// Something that happened to a connection or a listener besides frames.
struct StateRow {
  uint32_t slot;
  uint32_t bits;
  uint32_t value;
  uint32_t listener; // 1: `slot` is a listener's number
};

enum StateBits : uint32_t {
  state_opened = 1,     // accepted, or connected
  state_end = 2,        // the peer ended its side on a frame boundary
  state_fault = 4,      // see `Connection::fault`
  state_written = 8,    // the mark was reached
  state_closed = 16,    // the slot is free when the turn returns
  state_dropped = 32,   // listener: `value` connections were turned away, limit
  state_exhausted = 64, // listener: `value` were turned away, no descriptors
  state_error = 128,    // listener: accepting failed with error -value
};

// What the owner asks for: rows of the segment table, written by the owner between turns and inside of them.
struct Segment {
  uint32_t slot;
  uint32_t start;
  uint32_t end;
  uint32_t kind;
};

enum SegmentKind : uint32_t {
  segment_out = 0,   // bytes [start, end) of the out slab
  segment_slab = 1,  // bytes [start, end) of the receive slab, forwarded as they are
  segment_end = 2,   // end the sending side behind what is queued
  segment_close = 3, // close behind what is queued, lingering `start` milliseconds; in any case when `end`
};

// Words both sides read and write.
enum Control : uint32_t {
  control_segments = 0, // segments not handed over yet
  control_in_turn = 1,  // 1 while a turn runs: what is queued is handed over when it ends
  control_out = 2,      // bytes of the out slab in use
  control_keep = 3,     // 1 while a turn runs and bytes that were not looked at yet lie in the slab
  control_words = 4,
};

struct HubMemory {
  uint8_t *slab;
  size_t slab_size;
  FrameRow *rows;
  size_t max_rows;
  FrameRun *runs;
  size_t max_runs;
  StateRow *states;
  size_t max_states;
  uint8_t *out;
  size_t out_size;
  Segment *segments;
  size_t max_segments;
  uint32_t *control;
  double *written;  // per slot: bytes the kernel has taken
  double *received; // per slot: bytes that have arrived
  double *marks;    // per slot: tell when `written` gets here; 0 = never
  uint32_t *owners; // per slot: number of the listener that accepted it; 0: connected by us
  size_t max_slots;
};

class HubOwner {
public:
  virtual ~HubOwner() = default;
  // Reads `runs` runs and `states` states. May call back into the hub in any way but `close`.
  virtual void turn(size_t runs, size_t states) noexcept = 0;
};

// Waiting to be told to the owner; intrusive, so that telling never needs memory.
struct Pending {
  Pending *next_pending = nullptr;
  uint32_t bits = 0;
  bool is_listener = false;
  bool queued = false;
};

class Hub {
public:
  Hub(const HubMemory &memory, HubOwner &owner, MemorySource &large) noexcept
      : memory_(memory), owner_(owner), large_(large) {}
  Hub(const Hub &) = delete;
  ~Hub();

  int init(uv_loop_t *loop) noexcept;
  // Closes every connection and listener, then the hub's own handles; `done` is called from the loop.
  void close(void (*done)(void *), void *context) noexcept;

  // --- for the owner
  Connection *connection(uint32_t slot) noexcept { return slot < slots_used_ ? slots_[slot] : nullptr; }
  Listener *listener(uint32_t number) noexcept;
  uint32_t slots_used() const noexcept { return static_cast<uint32_t>(slots_used_); }
  // Hands segments [0, control_segments) to the kernel, or queues them.
  void flush() noexcept;
  // Another slab of the same size takes the place of the one that was given away with what lies in it; when
  // everything in it was delivered and forwarded. False: something was not.
  bool use_slab(uint8_t *slab) noexcept;

  // --- for connections and listeners
  uv_loop_t *loop() const noexcept { return loop_; }
  HubMemory &memory() noexcept { return memory_; }
  MemorySource &large() noexcept { return large_; }
  DeadlineClock &clock() noexcept { return clock_; }
  DeadlineList &linger_list() noexcept { return linger_; }
  bool closing() const noexcept { return closing_; }

  // UINT32_MAX: all slots are taken.
  uint32_t take_slot(Connection *connection) noexcept;
  void add_listener(Listener *listener) noexcept;
  void remove_listener(Listener *listener) noexcept;
  void tell(Pending &pending, uint32_t bits) noexcept;
  // The connection has a bare descriptor and wants to be asked again when the turn is over.
  void settle_later(Connection *connection) noexcept;

  // After every read, so that the next one finds half of the slab and a row free: where memory is asked for,
  // nothing can be delivered.
  void make_room() noexcept;
  size_t slab_room() const noexcept { return memory_.slab_size - cursor_; }
  uint8_t *slab_cursor() noexcept { return memory_.slab + cursor_; }
  size_t cursor() const noexcept { return cursor_; }
  void advance(size_t bytes) noexcept {
    cursor_ += bytes;
    pass_bytes_ += bytes;
  }
  // Most bytes of one more read, so that peers whose frames are tiny do not keep the others waiting: their
  // bytes cost little and their frames do not.
  size_t fair_read() const noexcept;
  FrameRow *row_cursor() noexcept { return memory_.rows + rows_; }
  size_t row_room() const noexcept { return memory_.max_rows - rows_; }
  void add_run(const FrameRun &run) noexcept;
  void add_rows(uint32_t slot, size_t count) noexcept;
  // Delivers the rows now, from inside a read. `keep_slab`: bytes behind the rows are still needed.
  void deliver_early(bool keep_slab) noexcept;

  // Counters for tests and stats.
  size_t live_connections() const noexcept { return live_; }

private:
  static void on_check(uv_check_t *check);
  static void on_idle(uv_idle_t *idle);
  static void on_handle_closed(uv_handle_t *handle);
  void wake() noexcept;
  void turn() noexcept;
  void cross(size_t states, bool keep) noexcept;
  size_t collect_states() noexcept;
  void release_closed() noexcept;
  void release(Connection *connection) noexcept;
  void write_chain(Connection &target, uint32_t index) noexcept;
  void settle_bare() noexcept;
  void expire() noexcept;
  void drain() noexcept;
  void collect_closed() noexcept;
  void handle_closed() noexcept;
  bool grow_slots() noexcept;

  HubMemory memory_;
  HubOwner &owner_;
  MemorySource &large_;
  uv_loop_t *loop_ = nullptr;
  uv_check_t check_{};
  uv_idle_t idle_{};
  DeadlineClock clock_;
  DeadlineList linger_{DeadlineKind::linger};

  size_t cursor_ = 0, rows_ = 0, runs_ = 0;
  // What all connections have brought since the last turn.
  size_t pass_rows_ = 0, pass_bytes_ = 0;
  Pending *pending_head_ = nullptr;
  Pending *pending_tail_ = nullptr;
  Pending *told_head_ = nullptr; // closed, and told so in the turn under way
  Connection *bare_head_ = nullptr;
  Listener *listeners_ = nullptr;

  Connection **slots_ = nullptr;
  uint32_t *free_slots_ = nullptr;
  // Scratch of `flush`: the segments of one connection as a chain, and the connections that have some.
  uint32_t *chain_ = nullptr;
  uint32_t *touched_ = nullptr;
  size_t slots_capacity_ = 0, slots_used_ = 0, free_count_ = 0, live_ = 0;

  bool idle_on_ = false, in_turn_ = false, keeps_slab_ = false, closing_ = false;
  int open_handles_ = 0;
  void (*done_)(void *) = nullptr;
  void *done_context_ = nullptr;
};

} // namespace framewire

#include "hub.hpp"
#include "connection.hpp"
#include "listener.hpp"
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace framewire {

namespace {
constexpr uint32_t no_segment = UINT32_MAX;
constexpr size_t first_slots = 64;
// Frames of one turn from which on connections get to read so many at a time, and half of that whenever there
// were so many more.
constexpr size_t fair_rows = 16 * 1024, fair_rows_each = 1024, least_rows_each = 64;
constexpr size_t fair_rows_halved = 8 * 1024;
constexpr size_t least_fair_read = 512;
// Pieces of one gathered write; below every system's IOV_MAX.
constexpr size_t gather_pieces = 256;
} // namespace

Hub::~Hub() {
  std::free(slots_);
  std::free(free_slots_);
  std::free(chain_);
  std::free(touched_);
}

int Hub::init(uv_loop_t *loop) noexcept {
  loop_ = loop;
  chain_ = static_cast<uint32_t *>(std::malloc(memory_.max_segments * sizeof(uint32_t)));
  touched_ = static_cast<uint32_t *>(std::malloc(memory_.max_segments * sizeof(uint32_t)));
  if (chain_ == nullptr || touched_ == nullptr) return UV_ENOMEM;
  check_.data = idle_.data = this;
  uv_check_init(loop, &check_);
  uv_idle_init(loop, &idle_);
  uv_unref(reinterpret_cast<uv_handle_t *>(&check_));
  uv_unref(reinterpret_cast<uv_handle_t *>(&idle_));
  clock_.init(
      loop, [](void *hub) { static_cast<Hub *>(hub)->wake(); }, this);
  return uv_check_start(&check_, on_check);
}

// --- slots

bool Hub::grow_slots() noexcept {
  size_t capacity = slots_capacity_ == 0 ? first_slots : slots_capacity_ * 2;
  if (capacity > memory_.max_slots) capacity = memory_.max_slots;
  if (capacity == slots_capacity_) return false;
  void *slots = std::realloc(slots_, capacity * sizeof *slots_);
  if (slots == nullptr) return false;
  slots_ = static_cast<Connection **>(slots);
  void *free_slots = std::realloc(free_slots_, capacity * sizeof *free_slots_);
  if (free_slots == nullptr) return false;
  free_slots_ = static_cast<uint32_t *>(free_slots);
  slots_capacity_ = capacity;
  return true;
}

uint32_t Hub::take_slot(Connection *connection) noexcept {
  uint32_t slot;
  if (free_count_ > 0) {
    slot = free_slots_[--free_count_];
  } else {
    if (slots_used_ == slots_capacity_ && !grow_slots()) return UINT32_MAX;
    slot = static_cast<uint32_t>(slots_used_++);
  }
  slots_[slot] = connection;
  live_ += 1;
  return slot;
}

void Hub::release(Connection *connection) noexcept {
  slots_[connection->slot()] = nullptr;
  free_slots_[free_count_++] = connection->slot();
  live_ -= 1;
  Connection::destroy_closed(connection);
}

void Hub::add_listener(Listener *listener) noexcept {
  listener->next = listeners_;
  if (listeners_ != nullptr) listeners_->previous = listener;
  listeners_ = listener;
}

void Hub::remove_listener(Listener *listener) noexcept {
  (listener->previous != nullptr ? listener->previous->next : listeners_) = listener->next;
  if (listener->next != nullptr) listener->next->previous = listener->previous;
}

Listener *Hub::listener(uint32_t number) noexcept {
  Listener *found = listeners_;
  while (found != nullptr && found->number() != number) found = found->next;
  return found;
}

// --- what is told

void Hub::tell(Pending &pending, uint32_t bits) noexcept {
  pending.bits |= bits;
  if (pending.queued) return;
  pending.queued = true;
  pending.next_pending = nullptr;
  (pending_tail_ != nullptr ? pending_tail_->next_pending : pending_head_) = &pending;
  pending_tail_ = &pending;
  if (!in_turn_) wake();
}

void Hub::settle_later(Connection *connection) noexcept {
  connection->set_next_bare(bare_head_);
  bare_head_ = connection;
  if (!in_turn_) wake();
}

void Hub::add_run(const FrameRun &run) noexcept {
  memory_.runs[runs_++] = run;
}

void Hub::add_rows(uint32_t slot, size_t count) noexcept {
  add_run({slot, static_cast<uint32_t>(rows_), static_cast<uint32_t>(count), 0});
  rows_ += count;
  pass_rows_ += count;
}

size_t Hub::fair_read() const noexcept {
  if (pass_rows_ < fair_rows) return SIZE_MAX;
  size_t halvings = std::min<size_t>((pass_rows_ - fair_rows) / fair_rows_halved, 16);
  size_t each = std::max(least_rows_each, fair_rows_each >> halvings);
  return std::max(least_fair_read, pass_bytes_ / pass_rows_ * each);
}

// Takes what is pending into rows, as many as fit; the rest waits for the next turn.
size_t Hub::collect_states() noexcept {
  size_t count = 0;
  told_head_ = nullptr;
  while (pending_head_ != nullptr && count + 3 <= memory_.max_states) {
    Pending *pending = pending_head_;
    pending_head_ = pending->next_pending;
    uint32_t bits = pending->bits;
    pending->bits = 0;
    pending->queued = false;
    pending->next_pending = nullptr;
    if (!pending->is_listener) {
      memory_.states[count++] = {static_cast<Connection *>(pending)->slot(), bits, 0, 0};
    } else {
      auto *listener = static_cast<Listener *>(pending);
      uint32_t number = listener->number();
      if (bits & state_dropped)
        memory_.states[count++] = {number, state_dropped, listener->take_dropped(), 1};
      if (bits & state_exhausted)
        memory_.states[count++] = {number, state_exhausted, listener->take_exhausted(), 1};
      if (bits & ~(state_dropped | state_exhausted))
        memory_.states[count++] = {number, bits & ~(state_dropped | state_exhausted),
                                   static_cast<uint32_t>(-listener->error()), 1};
    }
    if (bits & state_closed) {
      pending->next_pending = told_head_;
      told_head_ = pending;
    }
  }
  if (pending_head_ == nullptr) pending_tail_ = nullptr;
  return count;
}

// Everybody has been told that these are closed: their slots may be used again.
void Hub::release_closed() noexcept {
  while (told_head_ != nullptr) {
    Pending *pending = told_head_;
    told_head_ = pending->next_pending;
    if (pending->is_listener)
      static_cast<Listener *>(pending)->told_closed();
    else
      release(static_cast<Connection *>(pending));
  }
}

// --- turns

void Hub::wake() noexcept {
  if (idle_on_ || closing_) return;
  idle_on_ = uv_idle_start(&idle_, on_idle) == 0;
  // There is something to tell: the loop must not end before, although the last handle may be closed.
  if (idle_on_) uv_ref(reinterpret_cast<uv_handle_t *>(&idle_));
}

void Hub::on_idle(uv_idle_t *) {
  // Its being there keeps the poll from blocking, so that the check comes by at once.
}

void Hub::on_check(uv_check_t *check) {
  static_cast<Hub *>(check->data)->turn();
}

void Hub::expire() noexcept {
  for (Deadline *due = clock_.expire(); due != nullptr; due = clock_.expire()) {
    DeadlineKind kind = due->list->kind;
    clock_.disarm(*due);
    Connection::waiting(*due, kind).on_deadline(kind);
  }
}

void Hub::turn() noexcept {
  if (closing_) return;
  if (idle_on_) {
    uv_idle_stop(&idle_);
    uv_unref(reinterpret_cast<uv_handle_t *>(&idle_));
    idle_on_ = false;
  }
  pass_rows_ = pass_bytes_ = 0;
  expire();
  size_t states = collect_states();
  if (runs_ > 0 || states > 0) cross(states, false);
  cursor_ = 0;
  settle_bare();
  release_closed();
  if (pending_head_ != nullptr) wake();
}

void Hub::deliver_early(bool keep_slab) noexcept {
  if (runs_ > 0) cross(0, keep_slab);
  if (!keep_slab) cursor_ = 0;
}

bool Hub::use_slab(uint8_t *slab) noexcept {
  if (!in_turn_ || keeps_slab_ || memory_.control[control_segments] > 0) return false;
  memory_.slab = slab;
  return true;
}

void Hub::make_room() noexcept {
  bool room = slab_room() >= memory_.slab_size / 2 && runs_ < memory_.max_runs && rows_ < memory_.max_rows;
  if (!room) deliver_early(false);
}

// One call over to the owner, and one back for everything it wants written.
void Hub::cross(size_t states, bool keep) noexcept {
  size_t runs = runs_;
  in_turn_ = true;
  memory_.control[control_in_turn] = 1;
  keeps_slab_ = keep;
  memory_.control[control_keep] = keep ? 1 : 0;
  owner_.turn(runs, states);
  memory_.control[control_in_turn] = 0;
  rows_ = runs_ = 0;
  flush();
  in_turn_ = false;
  if (pending_head_ != nullptr) wake();
}

void Hub::settle_bare() noexcept {
  while (bare_head_ != nullptr) {
    Connection *connection = bare_head_;
    bare_head_ = connection->next_bare();
    connection->settle();
  }
}

void Hub::flush() noexcept {
  size_t count = memory_.control[control_segments];
  if (count > memory_.max_segments) count = memory_.max_segments;
  size_t touched = 0;
  for (uint32_t i = 0; i < count; i++) {
    Connection *target = connection(memory_.segments[i].slot);
    if (target == nullptr) continue;
    chain_[i] = no_segment;
    if (target->segment_head == no_segment) {
      target->segment_head = i;
      touched_[touched++] = memory_.segments[i].slot;
    } else {
      chain_[target->segment_tail] = i;
    }
    target->segment_tail = i;
  }
  for (size_t i = 0; i < touched; i++) {
    Connection *target = slots_[touched_[i]];
    uint32_t first = target->segment_head;
    target->segment_head = target->segment_tail = no_segment;
    write_chain(*target, first);
  }
  memory_.control[control_segments] = 0;
  memory_.control[control_out] = 0;
}

void Hub::write_chain(Connection &target, uint32_t index) noexcept {
  uv_buf_t bufs[gather_pieces];
  size_t pieces = 0, total = 0;
  for (; index != no_segment; index = chain_[index]) {
    const Segment &segment = memory_.segments[index];
    if (segment.kind <= segment_slab) {
      bool out = segment.kind == segment_out;
      size_t limit = out ? memory_.out_size : memory_.slab_size;
      if (segment.start >= segment.end || segment.end > limit) continue;
      const uint32_t size = segment.end - segment.start;
      uint8_t *base = out ? memory_.out : memory_.slab;
      bufs[pieces].base = reinterpret_cast<char *>(base + segment.start);
      bufs[pieces].len = size;
      pieces += 1;
      total += size;
      if (pieces < gather_pieces) continue;
    }
    if (pieces > 0) target.write(bufs, pieces, total);
    pieces = total = 0;
    if (segment.kind == segment_end) target.request_end();
    if (segment.kind == segment_close) target.request_close(segment.start, segment.end != 0);
  }
  if (pieces > 0) target.write(bufs, pieces, total);
}

// --- closing

void Hub::close(void (*done)(void *), void *context) noexcept {
  if (closing_) return;
  done_ = done;
  done_context_ = context;
  closing_ = true;
  cursor_ = rows_ = runs_ = 0;
  bare_head_ = nullptr;
  memory_.control[control_segments] = 0;
  for (Listener *listener = listeners_; listener != nullptr; listener = listener->next) listener->close();
  for (size_t i = 0; i < slots_used_; i++)
    if (slots_[i] != nullptr) {
      slots_[i]->destroy();
      // The owner's memory may be gone before the handles have closed.
      slots_[i]->drop_memory();
    }
  // The idle handle turns over until everything has reported back. One that runs would keep its callback.
  uv_idle_stop(&idle_);
  uv_idle_start(&idle_, [](uv_idle_t *idle) { static_cast<Hub *>(idle->data)->drain(); });
  uv_ref(reinterpret_cast<uv_handle_t *>(&idle_));
}

void Hub::drain() noexcept {
  collect_closed();
  if (live_ > 0 || listeners_ != nullptr) return;
  uv_idle_stop(&idle_);
  open_handles_ = 3;
  uv_close(reinterpret_cast<uv_handle_t *>(&check_), on_handle_closed);
  clock_.close([](uv_handle_t *timer) {
    auto *clock = static_cast<DeadlineClock *>(timer->data);
    static_cast<Hub *>(clock->context())->handle_closed();
  });
  uv_close(reinterpret_cast<uv_handle_t *>(&idle_), on_handle_closed);
}

// As a turn does, with nobody left to tell.
void Hub::collect_closed() noexcept {
  while (pending_head_ != nullptr) {
    Pending *pending = pending_head_;
    pending_head_ = pending->next_pending;
    uint32_t bits = pending->bits;
    pending->bits = 0;
    pending->queued = false;
    pending->next_pending = nullptr;
    if (bits & state_closed) {
      pending->next_pending = told_head_;
      told_head_ = pending;
    }
  }
  pending_tail_ = nullptr;
  release_closed();
}

void Hub::on_handle_closed(uv_handle_t *handle) {
  static_cast<Hub *>(handle->data)->handle_closed();
}

void Hub::handle_closed() noexcept {
  if (--open_handles_ == 0) done_(done_context_);
}

} // namespace framewire

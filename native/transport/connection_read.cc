// Reading: where the next read goes, what it brought, and the deadlines that run meanwhile.
#include "connection.hpp"
#include <algorithm>
#include <new>

namespace framewire {

namespace {
// Enough of a large frame for it to get memory of its own.
constexpr size_t probe_bytes = 17 * 1024;
// Reads that filled their memory are followed by another, so often; then the others have their turn.
constexpr int reads_per_wake = 16;
} // namespace

// Room is there, because `Hub::make_room` comes after every read.
FaultCode Connection::plan_read(uv_buf_t &buf) noexcept {
  if (!reassembly_.intact(hub().large())) return FaultCode::payload_detached;
  Reassembly::Target target;
  if (!reassembly_.target(limits(), hub().slab_room(), target) || target.needs_slab)
    return FaultCode::out_of_memory;
  if (!account()) return FaultCode::memory_budget;
  own_target_ = target.own != nullptr;
  // Behind a large frame there is often another. Reading just enough of it to know lets all the rest go
  // straight into memory of its own, where a whole read would have to be copied there.
  if (behind_large_ && !own_target_ && reassembly_.held() == 0)
    target.room = std::min(target.room, probe_bytes);
  if (!own_target_) target.room = std::min(target.room, std::max(hub().fair_read(), reassembly_.missing()));
  uint8_t *at = own_target_ ? target.own : hub().slab_cursor() + target.gap;
  buf = uv_buf_init(reinterpret_cast<char *>(at),
                    static_cast<unsigned>(std::min<size_t>(target.room, 1u << 30)));
  return FaultCode::none;
}

bool Connection::reads() const noexcept {
  return open_ && !ended_ && !paused_ && !closing_ && fault_ == nullptr;
}

// What comes is nobody's: we are closing, or nothing follows a fault. A peer that is still writing reads our
// answer only when it has got rid of that.
bool Connection::discards() const noexcept {
  return open_ && !ended_ && (closing_ || fault_ != nullptr);
}

bool Connection::read_once() noexcept {
  uv_buf_t buf;
  FaultCode planned = plan_read(buf);
  if (planned != FaultCode::none) {
    fail(planned, false);
    return false;
  }
  int64_t n = platform::receive(fd_, reinterpret_cast<uint8_t *>(buf.base), buf.len);
  drained_ = false;
  if (n > 0) {
    landed(static_cast<size_t>(n));
    drained_ = static_cast<size_t>(n) < buf.len;
    return !drained_;
  }
  drained_ = true;
  if (n != UV_EAGAIN) read_ended(n == 0 ? static_cast<int64_t>(UV_EOF) : n);
  return false;
}

void Connection::read_ready() noexcept {
  for (int i = 0; i < reads_per_wake && reads(); i++) {
    bool more = read_once();
    hub().make_room();
    if (!more || hub().fair_read() != SIZE_MAX) return;
  }
}

void Connection::discard() noexcept {
  for (int i = 0; i < reads_per_wake; i++) {
    // Thrown away, so it may go where nothing lies yet.
    int64_t n = platform::receive(fd_, hub().slab_cursor(), hub().slab_room());
    if (n == UV_EAGAIN) return;
    if (n == 0 && !lingering_ && !shut_) {
      ended_ = true;
      return watch();
    }
    if (n < 0 && has_queued()) return fail(FaultCode::lost, true, static_cast<int>(n));
    if (n <= 0) return close_now();
    hub().memory().received[slot_] += static_cast<double>(n);
    if (!closing_ || lingers_) continue;
    // It goes on writing while we are closing: it is to be heard out.
    lingers_ = true;
    if (lingering_) hub().clock().arm(read_deadline(), hub().linger_list(), last_large_or_linger_);
  }
}

void Connection::read_ended(int64_t status) noexcept {
  if (status != UV_EOF) {
    fail(FaultCode::lost, true, static_cast<int>(status));
    return;
  }
  ended_ = true;
  if (reassembly_.held() > 0) {
    Outcome outcome;
    Reassembly::Limits given = limits();
    reassembly_.describe(given, true, outcome);
    fail_with(FaultCode::truncated, outcome);
    return;
  }
  update_read_deadline(false);
  watch();
  hub().tell(*this, state_end);
  if (shut_) close_now();
}

void Connection::landed(size_t n) noexcept {
  first_seen_ = true;
  hub().memory().received[slot_] += static_cast<double>(n);
  if (!own_target_) {
    landed_slab(n);
    return;
  }
  Outcome outcome;
  reassembly_.landed_own(limits(), n, outcome);
  if (outcome.stop == Landed::large_done) {
    streams_ = framed_;
    framed_ = true;
    behind_large_ = true;
    last_large_or_linger_ = static_cast<uint32_t>(std::min<size_t>(outcome.large.size, UINT32_MAX));
    bool kept = keep_large(outcome.large, outcome.start, outcome.end);
    account();
    if (!kept)
      fail(FaultCode::out_of_memory, false);
    else
      update_read_deadline(true);
  } else if (outcome.stop == Landed::out_of_memory) {
    fail(FaultCode::out_of_memory, false);
  } else {
    update_read_deadline(false);
  }
}

void Connection::landed_slab(size_t n) noexcept {
  Reassembly::Limits given = limits();
  bool whole = false;
  for (;;) {
    Outcome outcome;
    reassembly_.landed_slab(given, hub().slab_cursor(), n, hub().row_cursor(), hub().row_room(),
                            static_cast<uint32_t>(hub().cursor()), outcome);
    hub().advance(outcome.consumed);
    if (outcome.rows > 0) {
      if (framed_ || outcome.rows > 1) streams_ = true;
      whole = framed_ = true;
      behind_large_ = false;
      hub().add_rows(slot_, outcome.rows);
    }
    switch (outcome.stop) {
    case Landed::rows_full:
      n = outcome.rest;
      hub().deliver_early(true);
      if (closed_ || !open_ || closing_ || fault_ != nullptr) return;
      continue;
    case Landed::too_large: fail_with(FaultCode::too_large, outcome); return;
    case Landed::invalid_length: fail_with(FaultCode::invalid_length, outcome); return;
    case Landed::out_of_memory: fail(FaultCode::out_of_memory, false); return;
    default:
      if (account())
        update_read_deadline(whole);
      else
        fail(FaultCode::memory_budget, false);
      return;
    }
  }
}

bool Connection::keep_large(Block &block, size_t start, size_t end) noexcept {
  auto *frame = new (std::nothrow) LargeFrame{block, nullptr};
  if (frame == nullptr) {
    hub().large().release(block);
    return false;
  }
  LargeFrame **tail = &large_head_;
  while (*tail != nullptr) tail = &(*tail)->next;
  *tail = frame;
  hub().add_run({slot_, static_cast<uint32_t>(start), static_cast<uint32_t>(end), 1});
  return true;
}

bool Connection::take_large(Block &out) noexcept {
  if (large_head_ == nullptr) return false;
  LargeFrame *frame = large_head_;
  out = frame->block;
  large_head_ = frame->next;
  delete frame;
  if (hub().large().holds(out)) return true;
  hub().large().release(out);
  fail(FaultCode::payload_detached, false);
  return false;
}

void Connection::pause() noexcept {
  if (paused_ || closed_) return;
  paused_ = true;
  if (lingering_) return;
  watch();
  // Nobody may be held to a deadline while we do not listen.
  hub().clock().disarm(read_deadline());
}

void Connection::resume() noexcept {
  if (!paused_ || closed_) return;
  paused_ = false;
  if (!open_ || lingering_) return;
  if (!read_deadline().armed()) {
    if (first_seen_)
      update_read_deadline(true);
    else
      arm_first();
  }
  watch();
}

// --- accounts and deadlines

bool Connection::account() noexcept {
  size_t now = reassembly_.reserved() + (backlog_ != nullptr ? backlog_->queue.reserved() : 0);
  Budget &budget = config_.budget;
  if (now > accounted_ && budget.would_exceed(now - accounted_)) return false;
  budget.held += now;
  budget.held -= accounted_;
  accounted_ = now;
  return true;
}

void Connection::update_read_deadline(bool whole) noexcept {
  if (lingering_) return;
  DeadlineClock &clock = hub().clock();
  if (!open_ || fault_ != nullptr || ended_ || closing_ || paused_) {
    clock.disarm(read_deadline());
    return;
  }
  DeadlineList *list = nullptr;
  uint64_t ms = 0;
  bool keep = false; // an absolute deadline that runs already is not touched
  if (reassembly_.held() == 0) {
    list = &config_.deadlines.idle;
    ms = config_.idle_timeout;
  } else if (reassembly_.header_whole()) {
    list = &config_.deadlines.body;
    ms = config_.body_timeout;
    keep = !whole;
  } else {
    list = &config_.deadlines.header;
    ms = config_.header_timeout;
    keep = !whole;
    if (config_.header_from_accept && !framed_ && ms > 0) ms -= std::min(waited(), ms - 1);
  }
  if (ms == 0)
    clock.disarm(read_deadline());
  else if (!keep || read_deadline().list != list)
    clock.arm(read_deadline(), *list, ms);
}

uint64_t Connection::waited() const noexcept {
  const Deadline &deadline = *this;
  const Deadlines &lists = config_.deadlines;
  uint64_t span = deadline.list == &lists.first_byte ? config_.first_byte_timeout
                  : deadline.list == &lists.idle     ? config_.idle_timeout
                                                     : 0;
  uint64_t now = DeadlineClock::now();
  uint64_t left = deadline.due > now ? deadline.due - now : 0;
  return span > left ? span - left : 0;
}

void Connection::update_write_deadline() noexcept {
  Deadline &deadline = *backlog_;
  uint64_t ms = config_.write_timeout;
  if (ms == 0 || backlog_->queue.empty()) {
    hub().clock().disarm(deadline);
    return;
  }
  uint64_t due = backlog_->queue.oldest() + ms;
  if (deadline.armed() && deadline.due == due) return;
  uint64_t now = DeadlineClock::now();
  hub().clock().arm(deadline, config_.deadlines.write, due > now ? due - now : 0);
}

void Connection::on_deadline(DeadlineKind kind) noexcept {
  switch (kind) {
  case DeadlineKind::first_byte: return fail(FaultCode::first_byte_timeout, false);
  case DeadlineKind::idle:
    if (has_queued()) return update_read_deadline(true);
    return fail(FaultCode::idle_timeout, false);
  case DeadlineKind::header:
  case DeadlineKind::body: {
    if (!reassembly_.intact(hub().large())) return fail(FaultCode::payload_detached, false);
    Outcome outcome;
    reassembly_.describe(limits(), false, outcome);
    return fail_with(kind == DeadlineKind::header ? FaultCode::header_timeout : FaultCode::body_timeout,
                     outcome);
  }
  case DeadlineKind::write: return fail(FaultCode::write_timeout, true);
  case DeadlineKind::linger: return close_now();
  }
}

void Connection::disarm_all() noexcept {
  hub().clock().disarm(read_deadline());
  if (backlog_ != nullptr) hub().clock().disarm(*backlog_);
}

} // namespace framewire

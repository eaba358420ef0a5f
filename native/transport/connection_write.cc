// Writing: to the kernel at once what it takes, to the queue what it does not.
#include "connection.hpp"
#include <algorithm>
#include <new>

namespace framewire {

namespace {
// Pieces of one gathered write out of the queue.
constexpr size_t gather_pieces = 64;
} // namespace

bool Connection::prepare_queue() noexcept {
  if (backlog_ != nullptr) return true;
  backlog_.reset(new (std::nothrow) Backlog(*this));
  if (backlog_ == nullptr) {
    fail(FaultCode::out_of_memory, true);
    return false;
  }
  return true;
}

void Connection::write(const uv_buf_t *bufs, size_t count, size_t total) noexcept {
  if (!writable()) return;
  size_t sent = 0;
  if (!has_queued()) {
    int64_t n = platform::send(fd_, bufs, count);
    if (n < 0 && n != UV_EAGAIN) return fail(FaultCode::write_failed, true, static_cast<int>(n));
    if (n > 0) sent = static_cast<size_t>(n);
    if (sent > 0) progress(sent);
    if (sent == total) return after_write();
  }
  if (!prepare_queue()) return;
  uint64_t now = DeadlineClock::now();
  for (size_t i = 0; i < count; i++) {
    size_t skip = std::min<size_t>(sent, bufs[i].len);
    sent -= skip;
    if (!backlog_->queue.append(bufs[i].base + skip, bufs[i].len - skip, now))
      return fail(FaultCode::out_of_memory, true);
  }
  if (!account()) return fail(FaultCode::memory_budget, true);
  wait_writable();
}

void Connection::write_large(uv_buf_t head, std::unique_ptr<HeldPayload> payload, size_t size) noexcept {
  if (!writable()) return;
  size_t sent = 0;
  if (!has_queued()) {
    const uint8_t *bytes = payload->bytes(size);
    if (bytes == nullptr) return fail(FaultCode::payload_detached, true);
    uv_buf_t bufs[2] = {head, {}};
    bufs[1].base = reinterpret_cast<char *>(const_cast<uint8_t *>(bytes));
    // The rest of one that is larger is queued.
    bufs[1].len = static_cast<platform::BufferLength>(std::min(size, platform::buffer_most));
    int64_t n = platform::send(fd_, bufs, 2);
    if (n < 0 && n != UV_EAGAIN) return fail(FaultCode::write_failed, true, static_cast<int>(n));
    if (n > 0) sent = static_cast<size_t>(n);
    if (sent > 0) progress(sent);
    if (sent == head.len + size) return after_write();
  }
  if (!prepare_queue()) return;
  uint64_t now = DeadlineClock::now();
  size_t head_sent = std::min<size_t>(sent, head.len);
  if (!backlog_->queue.append(head.base + head_sent, head.len - head_sent, now) ||
      !backlog_->queue.append_held(std::move(payload), sent - head_sent, size, now))
    return fail(FaultCode::out_of_memory, true);
  if (!account()) return fail(FaultCode::memory_budget, true);
  wait_writable();
}

void Connection::wait_writable() noexcept {
  update_write_deadline();
  watch();
}

void Connection::pump() noexcept {
  WriteQueue &queue = backlog_->queue;
  while (!queue.empty()) {
    uv_buf_t bufs[gather_pieces];
    bool lost = false;
    size_t count = queue.gather(bufs, gather_pieces, lost);
    if (count == 0) return fail(FaultCode::payload_detached, true);
    int64_t n = platform::send(fd_, bufs, count);
    if (n == UV_EAGAIN) break;
    if (n < 0) return fail(FaultCode::write_failed, true, static_cast<int>(n));
    queue.consume(static_cast<size_t>(n));
    progress(static_cast<size_t>(n));
  }
  account();
  if (!queue.empty()) return wait_writable();
  hub().clock().disarm(*backlog_);
  backlog_.reset();
  watch();
  after_write();
}

void Connection::progress(size_t bytes) noexcept {
  hub().memory().written[slot_] += static_cast<double>(bytes);
  check_mark();
}

void Connection::check_mark() noexcept {
  double &mark = hub().memory().marks[slot_];
  if (mark <= 0 || hub().memory().written[slot_] < mark) return;
  mark = 0;
  hub().tell(*this, state_written);
}

// The queue is empty: what waited behind it happens now.
void Connection::after_write() noexcept {
  // It may have been given up for something else on the way here.
  if (!open_) return;
  if (read_deadline().list == &config_.deadlines.idle) update_read_deadline(true);
  if (closing_)
    finish_close(false);
  else if (ending_ && !shut_)
    finish_end();
}

} // namespace framewire

#include "connection.hpp"
#include "listener.hpp"
#include <algorithm>
#include <cstring>
#include <new>

namespace framewire {

namespace {
// A read into less than this is not worth its system call: what lies in the slab is delivered first.
constexpr size_t min_read = 64 * 1024;
// Pieces of one gathered write out of the queue.
constexpr size_t gather_pieces = 64;
// Told when there is no memory left to say more.
Fault exhausted_fault = [] {
  Fault fault;
  fault.code = FaultCode::out_of_memory;
  return fault;
}();
} // namespace

Connection *Connection::create(Hub &hub, ChannelConfig &config, Listener *listener, bool is_tcp) noexcept {
  auto *connection = new (std::nothrow) Connection(hub, config, listener, is_tcp);
  if (connection == nullptr) return nullptr;
  connection->slot_ = hub.take_slot(connection);
  if (connection->slot_ == UINT32_MAX) {
    delete connection;
    return nullptr;
  }
  config.references += 1;
  HubMemory &memory = hub.memory();
  memory.written[connection->slot_] = 0;
  memory.marks[connection->slot_] = 0;
  memory.owners[connection->slot_] = listener != nullptr ? listener->number() : 0;
  return connection;
}

Connection::Connection(Hub &hub, ChannelConfig &config, Listener *listener, bool is_tcp) noexcept
    : hub_(hub), config_(config), listener_(listener), is_tcp_(is_tcp), open_(false), adopted_(false),
      connecting_(false), reading_(false), paused_(false), own_target_(false), first_seen_(false), framed_(false), ended_(false),
      ending_(false), shut_(false), closing_(false), lingering_(false), closed_(false) {
  read_deadline_.owner = this;
}

Connection::~Connection() {
  while (large_head_ != nullptr) {
    LargeFrame *next = large_head_->next;
    hub_.large().release(large_head_->block);
    delete large_head_;
    large_head_ = next;
  }
  if (fault_ != &exhausted_fault) delete fault_;
}

void Connection::destroy_closed(Connection *connection) noexcept {
  ChannelConfig &config = connection->config_;
  delete connection;
  if (--config.references == 0) delete &config;
}

Reassembly::Limits Connection::limits() const noexcept {
  Reassembly::Limits limits;
  limits.format = &config_.format;
  limits.max_payload = config_.max_payload;
  limits.large = &hub_.large();
  limits.slab_size = hub_.memory().slab_size;
  return limits;
}

// --- beginning

void Connection::start_accepted(uv_os_sock_t fd, bool hold) noexcept {
  fd_ = fd;
  open_ = true;
  paused_ = hold;
  if (is_tcp_) platform::set_tcp_options(fd, config_.no_delay, config_.keep_alive);
  arm_first();
  if (!hold) read_bare();
  hub_.settle_later(this);
}

int Connection::init_stream() noexcept {
  handle_.handle.data = this;
  int status = is_tcp_ ? uv_tcp_init(hub_.loop(), &handle_.tcp) : uv_pipe_init(hub_.loop(), &handle_.pipe, 0);
  handle_.handle.data = this;
  adopted_ = status == 0;
  return status;
}

void Connection::start_stream(bool hold) noexcept {
  open_ = true;
  paused_ = hold;
  if (is_tcp_) {
    uv_tcp_nodelay(&handle_.tcp, config_.no_delay ? 1 : 0);
    if (config_.keep_alive) uv_tcp_keepalive(&handle_.tcp, 1, 60);
  }
  arm_first();
  start_reading();
}

void Connection::arm_first() noexcept {
  if (config_.header_from_accept && config_.header_timeout > 0) {
    hub_.clock().arm(read_deadline_, config_.deadlines.header, config_.header_timeout);
  } else if (config_.first_byte_timeout > 0) {
    hub_.clock().arm(read_deadline_, config_.deadlines.first_byte, config_.first_byte_timeout);
  }
}

bool Connection::adopt() noexcept {
  if (adopted_) return true;
  int status = init_stream();
  if (status == 0) status = is_tcp_ ? uv_tcp_open(&handle_.tcp, fd_) : uv_pipe_open(&handle_.pipe, static_cast<uv_file>(fd_));
  if (status == 0) return true;
  fail(FaultCode::lost, true, status);
  return false;
}

void Connection::settle() noexcept {
  settling = false;
  if (!open_ || closed_ || !adopt()) return;
  if (!paused_ || lingering_) start_reading();
}

int Connection::connect_tcp(const sockaddr *address) noexcept {
  int status = init_stream();
  if (status < 0) return status;
  auto *request = new (std::nothrow) uv_connect_t;
  if (request == nullptr) return UV_ENOMEM;
  request->data = this;
  status = uv_tcp_connect(request, &handle_.tcp, address, on_connected);
  if (status < 0) {
    delete request;
    return status;
  }
  connecting_ = true;
  return 0;
}

int Connection::connect_path(const char *path, size_t length) noexcept {
  if (platform::has_descriptors) {
    // A unix socket connects at once or not at all.
    int status = platform::connect_path(path, length, fd_);
    if (status < 0) return status;
    open_ = true;
    paused_ = true;
    hub_.tell(*this, state_opened);
    hub_.settle_later(this);
    return 0;
  }
  int status = init_stream();
  if (status < 0) return status;
  auto *request = new (std::nothrow) uv_connect_t;
  if (request == nullptr) return UV_ENOMEM;
  request->data = this;
  connecting_ = true;
  uv_pipe_connect(request, &handle_.pipe, path, on_connected);
  return 0;
}

void Connection::on_connected(uv_connect_t *request, int status) {
  auto *self = static_cast<Connection *>(request->data);
  delete request;
  if (self->closed_ || uv_is_closing(&self->handle_.handle)) return;
  self->connecting_ = false;
  if (status < 0) {
    self->fail(FaultCode::connect_failed, true, status);
    return;
  }
  uv_os_fd_t fd;
  if (platform::has_descriptors && uv_fileno(&self->handle_.handle, &fd) == 0) self->fd_ = (uv_os_sock_t)fd;
  self->open_ = true;
  self->paused_ = true;
  if (self->is_tcp_) {
    uv_tcp_nodelay(&self->handle_.tcp, self->config_.no_delay ? 1 : 0);
    if (self->config_.keep_alive) uv_tcp_keepalive(&self->handle_.tcp, 1, 60);
  }
  self->hub_.tell(*self, state_opened);
}

// --- reading

bool Connection::plan_read(uv_buf_t &buf) noexcept {
  Reassembly::Target target;
  for (;;) {
    if (!open_ || fault_ != nullptr || paused_ || closing_ || closed_) return false;
    if (!reassembly_.target(limits(), hub_.slab_room(), target)) {
      fail(FaultCode::out_of_memory, false);
      return false;
    }
    bool room = target.own != nullptr ? hub_.run_room() : !target.needs_slab && hub_.slab_room() - target.gap >= min_read;
    if (room && hub_.run_room() && hub_.row_room() > 0) break;
    hub_.deliver_early(false);
  }
  if (!account()) return false;
  own_target_ = target.own != nullptr;
  uint8_t *at = own_target_ ? target.own : hub_.slab_cursor() + target.gap;
  buf = uv_buf_init(reinterpret_cast<char *>(at), static_cast<unsigned>(std::min<size_t>(target.room, 1u << 30)));
  return true;
}

void Connection::on_alloc(uv_handle_t *handle, size_t, uv_buf_t *buf) {
  auto *self = static_cast<Connection *>(handle->data);
  if (self->lingering_) {
    // Thrown away, so it may go where nothing lies yet.
    if (self->hub_.slab_room() == 0) self->hub_.deliver_early(false);
    *buf = uv_buf_init(reinterpret_cast<char *>(self->hub_.slab_cursor()),
                       static_cast<unsigned>(std::min(self->hub_.slab_room(), min_read)));
    return;
  }
  if (!self->plan_read(*buf)) *buf = uv_buf_init(nullptr, 0);
}

void Connection::on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  auto *self = static_cast<Connection *>(stream->data);
  // No memory was given because the connection stopped reading while it was asked for.
  if (nread == 0 || (nread == UV_ENOBUFS && buf->base == nullptr)) return;
  if (self->lingering_) {
    if (nread < 0) self->close_now();
    return;
  }
  if (nread < 0) self->read_ended(nread);
  else self->landed(static_cast<size_t>(nread));
}

void Connection::read_bare() noexcept {
  uv_buf_t buf;
  if (!plan_read(buf)) return;
  int64_t n = platform::receive(fd_, reinterpret_cast<uint8_t *>(buf.base), buf.len);
  if (n > 0) landed(static_cast<size_t>(n));
  else if (n == 0) read_ended(UV_EOF);
  else if (n != UV_EAGAIN) read_ended(n);
}

void Connection::read_ended(int64_t status) noexcept {
  stop_reading();
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
  hub_.tell(*this, state_end);
  if (shut_) close_now();
}

void Connection::landed(size_t n) noexcept {
  first_seen_ = true;
  bytes_received_ += n;
  if (!own_target_) {
    landed_slab(n);
    return;
  }
  Outcome outcome;
  reassembly_.landed_own(limits(), n, outcome);
  if (outcome.stop == Landed::large_done) {
    framed_ = true;
    bool kept = keep_large(outcome.large, outcome.start, outcome.end);
    account();
    if (!kept) fail(FaultCode::out_of_memory, false);
    else update_read_deadline(true);
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
    reassembly_.landed_slab(given, hub_.slab_cursor(), n, hub_.row_cursor(), hub_.row_room(),
                            static_cast<uint32_t>(hub_.cursor()), outcome);
    hub_.advance(outcome.consumed);
    if (outcome.rows > 0) {
      whole = framed_ = true;
      hub_.add_rows(slot_, outcome.rows);
    }
    switch (outcome.stop) {
    case Landed::rows_full:
      n = outcome.rest;
      hub_.deliver_early(true);
      if (closed_ || !open_ || closing_ || fault_ != nullptr) return;
      continue;
    case Landed::too_large:
      fail_with(FaultCode::too_large, outcome);
      return;
    case Landed::invalid_length:
      fail_with(FaultCode::invalid_length, outcome);
      return;
    case Landed::out_of_memory:
      fail(FaultCode::out_of_memory, false);
      return;
    default:
      if (account()) update_read_deadline(whole);
      return;
    }
  }
}

bool Connection::keep_large(Block &block, size_t start, size_t end) noexcept {
  auto *frame = new (std::nothrow) LargeFrame{block, nullptr};
  if (frame == nullptr) {
    hub_.large().release(block);
    return false;
  }
  LargeFrame **tail = &large_head_;
  while (*tail != nullptr) tail = &(*tail)->next;
  *tail = frame;
  hub_.add_run({slot_, static_cast<uint32_t>(start), static_cast<uint32_t>(end), 1});
  return true;
}

bool Connection::take_large(Block &out) noexcept {
  if (large_head_ == nullptr) return false;
  LargeFrame *frame = large_head_;
  out = frame->block;
  large_head_ = frame->next;
  delete frame;
  return true;
}

void Connection::start_reading() noexcept {
  if (!adopted_ || reading_ || ended_ || closed_) return;
  if (uv_is_closing(&handle_.handle)) return;
  if (!lingering_ && (paused_ || fault_ != nullptr)) return;
  int status = uv_read_start(&handle_.stream, on_alloc, on_read);
  reading_ = status == 0;
  if (status < 0) fail(FaultCode::lost, true, status);
}

void Connection::stop_reading() noexcept {
  if (!reading_) return;
  uv_read_stop(&handle_.stream);
  reading_ = false;
}

void Connection::pause() noexcept {
  if (paused_ || closed_) return;
  paused_ = true;
  if (lingering_) return;
  stop_reading();
  // Nobody may be held to a deadline while we do not listen.
  hub_.clock().disarm(read_deadline_);
}

void Connection::resume() noexcept {
  if (!paused_ || closed_) return;
  paused_ = false;
  if (!open_ || lingering_) return;
  if (!read_deadline_.armed()) {
    if (first_seen_) update_read_deadline(true);
    else arm_first();
  }
  start_reading();
}

// --- accounts and deadlines

bool Connection::account() noexcept {
  size_t now = reassembly_.reserved() + (backlog_ != nullptr ? backlog_->queue.size() : 0);
  if (now == accounted_) return true;
  Budget &budget = config_.budget;
  if (now > accounted_ && budget.would_exceed(now - accounted_)) {
    bool queued = backlog_ != nullptr && !backlog_->queue.empty() && reassembly_.reserved() == 0;
    fail(FaultCode::memory_budget, queued);
    return false;
  }
  budget.held += now;
  budget.held -= accounted_;
  accounted_ = now;
  return true;
}

void Connection::update_read_deadline(bool whole) noexcept {
  if (lingering_) return;
  DeadlineClock &clock = hub_.clock();
  if (!open_ || fault_ != nullptr || ended_ || closing_ || paused_) {
    clock.disarm(read_deadline_);
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
  }
  if (ms == 0) clock.disarm(read_deadline_);
  else if (!keep || read_deadline_.list != list) clock.arm(read_deadline_, *list, ms);
}

void Connection::update_write_deadline() noexcept {
  Deadline &deadline = backlog_->deadline;
  uint64_t ms = config_.write_timeout;
  if (ms == 0 || backlog_->queue.empty()) {
    hub_.clock().disarm(deadline);
    return;
  }
  uint64_t due = backlog_->queue.oldest() + ms;
  if (deadline.armed() && deadline.due == due) return;
  uint64_t now = hub_.clock().now();
  hub_.clock().arm(deadline, config_.deadlines.write, due > now ? due - now : 0);
}

void Connection::on_deadline(DeadlineKind kind) noexcept {
  switch (kind) {
  case DeadlineKind::first_byte:
    return fail(FaultCode::first_byte_timeout, false);
  case DeadlineKind::idle:
    if (backlog_ != nullptr && !backlog_->queue.empty()) return update_read_deadline(true);
    return fail(FaultCode::idle_timeout, false);
  case DeadlineKind::header:
  case DeadlineKind::body: {
    Outcome outcome;
    reassembly_.describe(limits(), false, outcome);
    return fail_with(kind == DeadlineKind::header ? FaultCode::header_timeout : FaultCode::body_timeout, outcome);
  }
  case DeadlineKind::write:
    return fail(FaultCode::write_timeout, true);
  case DeadlineKind::linger:
    return close_now();
  }
}

void Connection::disarm_all() noexcept {
  hub_.clock().disarm(read_deadline_);
  if (backlog_ != nullptr) hub_.clock().disarm(backlog_->deadline);
}

// --- faults

void Connection::fail_with(FaultCode code, const Outcome &outcome) noexcept {
  bool first = fault_ == nullptr;
  fail(code, false);
  if (!first || fault_ == &exhausted_fault) return;
  fault_->declared = outcome.declared;
  fault_->declared_known = outcome.declared_known;
  fault_->received = outcome.received;
  // What a peer says first is what it speaks; in the middle of a stream the same bytes mean nothing.
  bool greeting = !framed_ && outcome.greeting != Hint::none;
  fault_->hint = greeting ? outcome.greeting : outcome.suspicion.hint;
  fault_->suspected = outcome.suspicion.payload;
}

void Connection::fail(FaultCode code, bool fatal, int system) noexcept {
  if (closed_) return;
  if (fault_ == nullptr) {
    auto *fault = new (std::nothrow) Fault;
    if (fault != nullptr) {
      fault->code = code;
      fault->system = system;
    } else {
      fault = &exhausted_fault;
    }
    fault_ = fault;
    if (fault_ != &exhausted_fault) fault_->fatal = fatal;
    hub_.tell(*this, state_fault);
  }
  if (!lingering_) stop_reading();
  if (fatal) {
    close_now();
    return;
  }
  if (!lingering_) hub_.clock().disarm(read_deadline_);
}

// --- writing

bool Connection::prepare_queue() noexcept {
  if (backlog_ != nullptr) return true;
  backlog_.reset(new (std::nothrow) Backlog);
  if (backlog_ == nullptr) {
    fail(FaultCode::out_of_memory, true);
    return false;
  }
  backlog_->request.data = this;
  backlog_->deadline.owner = this;
  return true;
}

int64_t Connection::send_now(const uv_buf_t *bufs, size_t count) noexcept {
  if (platform::has_descriptors) return platform::send(fd_, bufs, count);
  return uv_try_write(&handle_.stream, bufs, static_cast<unsigned>(count));
}

void Connection::write(const uv_buf_t *bufs, size_t count, size_t total) noexcept {
  if (!writable()) return;
  size_t sent = 0;
  if (backlog_ == nullptr || backlog_->queue.empty()) {
    int64_t n = send_now(bufs, count);
    if (n < 0 && n != UV_EAGAIN) return fail(FaultCode::lost, true, static_cast<int>(n));
    if (n > 0) sent = static_cast<size_t>(n);
    if (sent > 0) progress(sent);
    if (sent == total) return after_write();
  }
  if (!prepare_queue()) return;
  uint64_t now = hub_.clock().now();
  for (size_t i = 0; i < count; i++) {
    size_t skip = std::min<size_t>(sent, bufs[i].len);
    sent -= skip;
    if (!backlog_->queue.append(bufs[i].base + skip, bufs[i].len - skip, now))
      return fail(FaultCode::out_of_memory, true);
  }
  if (account()) arm_writer();
}

void Connection::write_large(uv_buf_t head, std::unique_ptr<HeldPayload> payload, size_t size) noexcept {
  if (!writable()) return;
  size_t sent = 0;
  if (backlog_ == nullptr || backlog_->queue.empty()) {
    const uint8_t *bytes = payload->bytes(size);
    if (bytes == nullptr) return fail(FaultCode::payload_detached, true);
    uv_buf_t bufs[2] = {head, {}};
    bufs[1].base = reinterpret_cast<char *>(const_cast<uint8_t *>(bytes));
    bufs[1].len = size;
    int64_t n = send_now(bufs, 2);
    if (n < 0 && n != UV_EAGAIN) return fail(FaultCode::lost, true, static_cast<int>(n));
    if (n > 0) sent = static_cast<size_t>(n);
    if (sent > 0) progress(sent);
    if (sent == head.len + size) return after_write();
  }
  if (!prepare_queue()) return;
  uint64_t now = hub_.clock().now();
  size_t head_sent = std::min<size_t>(sent, head.len);
  if (!backlog_->queue.append(head.base + head_sent, head.len - head_sent, now) ||
      !backlog_->queue.append_held(std::move(payload), sent - head_sent, size, now))
    return fail(FaultCode::out_of_memory, true);
  if (account()) arm_writer();
}

void Connection::arm_writer() noexcept {
  update_write_deadline();
  if (backlog_->in_flight > 0 || !adopt()) return;
  uv_buf_t buf;
  bool lost = false;
  if (!backlog_->queue.front(buf, lost))
    return fail(lost ? FaultCode::payload_detached : FaultCode::out_of_memory, true);
  backlog_->in_flight = buf.len;
  int status = uv_write(&backlog_->request, &handle_.stream, &buf, 1, on_written);
  if (status < 0) {
    backlog_->in_flight = 0;
    fail(FaultCode::lost, true, status);
  }
}

void Connection::on_written(uv_write_t *request, int status) {
  auto *self = static_cast<Connection *>(request->data);
  if (uv_is_closing(&self->handle_.handle)) return;
  if (status < 0) {
    self->fail(FaultCode::lost, true, status);
    return;
  }
  Backlog &backlog = *self->backlog_;
  size_t done = backlog.in_flight;
  backlog.in_flight = 0;
  backlog.queue.consume(done);
  self->progress(done);
  self->pump();
}

void Connection::pump() noexcept {
  WriteQueue &queue = backlog_->queue;
  while (!queue.empty()) {
    uv_buf_t bufs[gather_pieces];
    bool lost = false;
    size_t count = queue.gather(bufs, gather_pieces, lost);
    if (count == 0) return fail(FaultCode::payload_detached, true);
    int64_t n = send_now(bufs, count);
    if (n == UV_EAGAIN) break;
    if (n < 0) return fail(FaultCode::lost, true, static_cast<int>(n));
    queue.consume(static_cast<size_t>(n));
    progress(static_cast<size_t>(n));
  }
  account();
  if (!queue.empty()) return arm_writer();
  hub_.clock().disarm(backlog_->deadline);
  backlog_.reset();
  after_write();
}

void Connection::progress(size_t bytes) noexcept {
  hub_.memory().written[slot_] += static_cast<double>(bytes);
  check_mark();
}

void Connection::check_mark() noexcept {
  double &mark = hub_.memory().marks[slot_];
  if (mark <= 0 || hub_.memory().written[slot_] < mark) return;
  mark = 0;
  hub_.tell(*this, state_written);
}

// The queue is empty: what waited behind it happens now.
void Connection::after_write() noexcept {
  if (read_deadline_.list == &config_.deadlines.idle) update_read_deadline(true);
  if (closing_) finish_close();
  else if (ending_ && !shut_) finish_end();
}

// --- closing

void Connection::request_end() noexcept {
  if (!writable()) return;
  ending_ = true;
  if (backlog_ == nullptr || backlog_->queue.empty()) finish_end();
}

void Connection::finish_end() noexcept {
  shut_ = true;
  shut_down();
  if (ended_ && !closing_) close_now();
}

void Connection::shut_down() noexcept {
  if (platform::has_descriptors) {
    // ENOTCONN: the peer is gone already, and reading will tell.
    platform::shutdown_write(fd_);
    return;
  }
  auto *request = new (std::nothrow) uv_shutdown_t;
  if (request == nullptr) return fail(FaultCode::out_of_memory, true);
  int status = uv_shutdown(request, &handle_.stream, [](uv_shutdown_t *done, int) { delete done; });
  if (status < 0) delete request;
}

void Connection::request_close(uint64_t linger) noexcept {
  if (closed_ || closing_) return;
  if (!open_) return close_now();
  closing_ = true;
  linger_ms_ = static_cast<uint32_t>(std::min<uint64_t>(linger, UINT32_MAX));
  stop_reading();
  hub_.clock().disarm(read_deadline_);
  if (backlog_ == nullptr || backlog_->queue.empty()) finish_close();
}

void Connection::finish_close() noexcept {
  // Closing with input unread makes the peer's kernel throw our answer away or report a reset, so whoever may still
  // be writing is heard out. A peer whose last frame is whole has nothing on its way.
  bool quiet = fault_ == nullptr && reassembly_.held() == 0;
  if (ended_ || quiet || linger_ms_ == 0) return close_now();
  lingering_ = true;
  if (!shut_) {
    shut_ = true;
    shut_down();
  }
  if (closed_) return;
  reassembly_.reset(limits());
  account();
  hub_.clock().arm(read_deadline_, hub_.linger_list(), linger_ms_);
  if (!adopted_ && settling) return; // settle() starts it
  if (adopt()) start_reading();
}

void Connection::destroy() noexcept { close_now(); }

void Connection::close_now() noexcept {
  if (closed_) return;
  if (adopted_ && uv_is_closing(&handle_.handle)) return;
  open_ = false;
  closing_ = true;
  if (backlog_ != nullptr && backlog_->in_flight > 0) {
    // What libuv has written of the piece under way is known only here.
    size_t left = uv_stream_get_write_queue_size(&handle_.stream);
    if (left < backlog_->in_flight) progress(backlog_->in_flight - left);
  }
  disarm_all();
  if (adopted_) {
    reading_ = false;
    uv_close(&handle_.handle, on_closed);
    return;
  }
  if (fd_ != static_cast<uv_os_sock_t>(-1)) platform::close(fd_);
  closed();
}

void Connection::on_closed(uv_handle_t *handle) { static_cast<Connection *>(handle->data)->closed(); }

void Connection::closed() noexcept {
  fd_ = static_cast<uv_os_sock_t>(-1);
  closed_ = true;
  reassembly_.reset(limits());
  backlog_.reset();
  config_.budget.held -= accounted_;
  accounted_ = 0;
  if (listener_ != nullptr) listener_->connection_gone();
  listener_ = nullptr;
  hub_.tell(*this, state_closed);
}

// --- asked

bool Connection::peer(platform::PeerCredentials &out) const noexcept {
  return platform::has_descriptors && open_ && !is_tcp_ && platform::peer_credentials(fd_, out);
}

bool Connection::remote_address(sockaddr_storage &out) const noexcept {
  if (!is_tcp_ || !open_) return false;
  if (platform::has_descriptors) return platform::remote_address(fd_, out) == 0;
  int size = sizeof out;
  return uv_tcp_getpeername(&handle_.tcp, reinterpret_cast<sockaddr *>(&out), &size) == 0;
}

void Connection::reference(bool on) noexcept {
  if (closed_ || !open_) return;
  if (!adopt()) return;
  if (on) uv_ref(&handle_.handle);
  else uv_unref(&handle_.handle);
}

} // namespace framewire

#include "connection.hpp"
#include "listener.hpp"
#include <algorithm>
#include <cstring>
#include <new>

namespace framewire {

namespace {
// After a large frame, another of up to its size, and this, gets memory ahead of what arrives of it; as long
// as half of the budget is left.
constexpr size_t trusted_bytes = (16u << 20) + 64;
// Whoever has sent more than one frame may be about to send the next: nothing comes for so long first.
constexpr uint32_t quiet_ms = 2;
// Told when there is no memory left to say more.
Fault exhausted_fault = [] {
  Fault fault;
  fault.code = FaultCode::out_of_memory;
  return fault;
}();
} // namespace

Connection *Connection::create(Hub &hub, ChannelConfig &config, bool is_tcp) noexcept {
  config.hub = &hub;
  auto *connection = new (std::nothrow) Connection(config, is_tcp);
  if (connection == nullptr) return nullptr;
  connection->slot_ = hub.take_slot(connection);
  if (connection->slot_ == UINT32_MAX) {
    delete connection;
    return nullptr;
  }
  config.references += 1;
  HubMemory &memory = hub.memory();
  // A page that nobody writes to is no memory.
  for (double *counts : {memory.written, memory.received, memory.marks})
    if (counts[connection->slot_] != 0) counts[connection->slot_] = 0;
  memory.owners[connection->slot_] = config.listener != nullptr ? config.listener->number() : 0;
  return connection;
}

Connection::Connection(ChannelConfig &config, bool is_tcp) noexcept
    : config_(config), is_tcp_(is_tcp), open_(false), adopted_(false), settling_(false), connecting_(false),
      paused_(false), own_target_(false), drained_(false), first_seen_(false), framed_(false),
      streams_(false), ended_(false), ending_(false), shut_(false), closing_(false), lingers_(false),
      lingering_(false), closed_(false), behind_large_(false), detached_(false), watched_(0) {}

Connection &Connection::waiting(Deadline &deadline, DeadlineKind kind) noexcept {
  return kind == DeadlineKind::write ? static_cast<Backlog &>(deadline).connection
                                     : static_cast<Connection &>(static_cast<ReadDeadline &>(deadline));
}

Connection::~Connection() {
  drop_memory();
  if (fault_ != &exhausted_fault) delete fault_;
}

void Connection::drop_memory() noexcept {
  while (large_head_ != nullptr) {
    LargeFrame *next = large_head_->next;
    hub().large().release(large_head_->block);
    delete large_head_;
    large_head_ = next;
  }
  reassembly_.reset(limits());
  if (backlog_ != nullptr) backlog_->queue.clear();
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
  limits.large = &hub().large();
  limits.slab_size = hub().memory().slab_size;
  const Budget &budget = config_.budget;
  const bool plenty = budget.held <= budget.limit / 2;
  limits.trusted = closing_ || !plenty ? 0 : std::min<size_t>(last_large_or_linger_, trusted_bytes);
  return limits;
}

// --- beginning

void Connection::start_accepted(uv_os_sock_t fd, bool hold) noexcept {
  fd_ = fd;
  open_ = true;
  paused_ = hold;
  if (is_tcp_) platform::set_tcp_options(fd, config_.no_delay, config_.keep_alive);
  arm_first();
  // What a client sends with its connect is often there already.
  if (!hold) {
    read_once();
    hub().make_room();
  }
  settling_ = true;
  hub().settle_later(this);
}

// The deadline that ends first.
void Connection::arm_first() noexcept {
  DeadlineList *list = &config_.deadlines.idle;
  uint64_t ms = config_.idle_timeout;
  auto consider = [&](DeadlineList &other, uint64_t span) {
    if (span == 0 || (ms != 0 && ms <= span)) return;
    list = &other;
    ms = span;
  };
  consider(config_.deadlines.first_byte, config_.first_byte_timeout);
  if (config_.header_from_accept) consider(config_.deadlines.header, config_.header_timeout);
  if (ms > 0) hub().clock().arm(read_deadline(), *list, ms);
}

bool Connection::adopt() noexcept {
  if (adopted_) return true;
  poll_.data = this;
  int status = uv_poll_init_socket(hub().loop(), &poll_, fd_);
  adopted_ = status == 0;
  if (adopted_ && detached_) uv_unref(reinterpret_cast<uv_handle_t *>(&poll_));
  if (!adopted_) fail(FaultCode::lost, true, status);
  return adopted_;
}

void Connection::settle() noexcept {
  settling_ = false;
  if (closed_ || !(open_ || connecting_) || !adopt()) return;
  watch();
}

void Connection::watch() noexcept {
  if (!adopted_ || closed_ || !(open_ || connecting_)) return;
  int wanted = 0;
  if (reads() || discards()) wanted |= UV_READABLE;
  if (connecting_ || has_queued()) wanted |= UV_WRITABLE;
  if (wanted == watched_) return;
  watched_ = static_cast<uint8_t>(wanted);
  int status = wanted == 0 ? uv_poll_stop(&poll_) : uv_poll_start(&poll_, wanted, on_poll);
  if (status < 0) fail(FaultCode::lost, true, status);
}

void Connection::on_poll(uv_poll_t *poll, int status, int events) {
  auto *self = static_cast<Connection *>(poll->data);
  // libuv reports an error on the socket without its name, and has stopped watching; reading or writing names
  // it.
  bool broken = status < 0;
  if (broken) self->watched_ = 0;
  if (self->connecting_) return self->finish_connect();
  bool readable = broken || (events & UV_READABLE) != 0;
  if (readable && self->discards())
    self->discard();
  else if (readable && self->reads())
    self->read_ready();
  if (!self->open_) return;
  bool waiting = self->has_queued();
  if (waiting && (broken || (events & UV_WRITABLE) != 0)) self->pump();
  if (!broken || !self->open_) return;
  int error = platform::take_error(self->fd_);
  if (error < 0)
    self->fail(FaultCode::lost, true, error);
  else
    self->watch();
}

int Connection::connect_tcp(const sockaddr *address) noexcept {
  int status = platform::connect_tcp(address, fd_);
  if (status < 0) return status;
  connecting_ = true;
  settling_ = true;
  hub().settle_later(this);
  return 0;
}

int Connection::connect_path(const char *path, size_t length) noexcept {
  // A unix socket connects at once or not at all.
  int status = platform::connect_path(path, length, fd_);
  if (status < 0) return status;
  open_ = paused_ = settling_ = true;
  hub().tell(*this, state_opened);
  hub().settle_later(this);
  return 0;
}

void Connection::finish_connect() noexcept {
  connecting_ = false;
  int error = platform::take_error(fd_);
  if (error < 0) return fail(FaultCode::connect_failed, true, error);
  open_ = paused_ = true;
  platform::set_tcp_options(fd_, config_.no_delay, config_.keep_alive);
  watch();
  hub().tell(*this, state_opened);
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
  // A peer that leaves its answers unread keeps them until the write deadline, and memory is what is short.
  if (code == FaultCode::memory_budget && has_queued()) fatal = true;
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
    hub().tell(*this, state_fault);
  }
  if (fatal) {
    close_now();
    return;
  }
  // The frame at fault is of no use any more.
  reassembly_.reset(limits());
  account();
  if (!lingering_) hub().clock().disarm(read_deadline());
  watch();
}

// --- closing

void Connection::request_end() noexcept {
  if (!writable()) return;
  ending_ = true;
  if (!has_queued()) finish_end();
}

void Connection::finish_end() noexcept {
  shut_ = true;
  // Not connected: the peer is gone already, and reading will tell.
  platform::shutdown_write(fd_);
  if (ended_ && !closing_) close_now();
}

void Connection::request_close(uint64_t linger, bool always) noexcept {
  if (closed_ || closing_) return;
  if (!open_) return close_now();
  closing_ = true;
  lingers_ = always;
  last_large_or_linger_ = static_cast<uint32_t>(std::min<uint64_t>(linger, UINT32_MAX));
  hub().clock().disarm(read_deadline());
  if (has_queued()) return watch();
  finish_close(drained_ && !paused_);
}

void Connection::finish_close(bool has_read) noexcept {
  // Closing with input unread makes the peer's kernel throw our answer away or report a reset, so whoever may
  // still be writing is heard out. A peer whose last frame is whole has nothing on its way.
  // What the peer's kernel does not have yet is lost if the peer says one word more.
  bool quiet = fault_ == nullptr && !lingers_ && reassembly_.held() == 0 && (has_read || !has_input()) &&
               !(is_tcp_ && platform::has_unsent(fd_));
  if (ended_ || last_large_or_linger_ == 0) return close_now();
  if (quiet && !streams_) return close_now();
  linger(quiet ? std::min(quiet_ms, last_large_or_linger_) : last_large_or_linger_);
}

void Connection::linger(uint32_t ms) noexcept {
  lingering_ = true;
  if (!shut_) {
    shut_ = true;
    platform::shutdown_write(fd_);
  }
  reassembly_.reset(limits());
  account();
  hub().clock().arm(read_deadline(), hub().linger_list(), ms);
  watch();
}

// Takes some of what the peer sent and nobody will read; false: there is none, and none will come.
bool Connection::has_input() noexcept {
  uint8_t bytes[256];
  return platform::receive(fd_, bytes, sizeof bytes) > 0;
}

void Connection::destroy() noexcept {
  close_now();
}

void Connection::close_now() noexcept {
  constexpr auto none = static_cast<uv_os_sock_t>(-1);
  // Watched and without a descriptor: the handle is closing.
  if (closed_ || (adopted_ && fd_ == none)) return;
  open_ = connecting_ = false;
  closing_ = true;
  disarm_all();
  if (adopted_) uv_close(reinterpret_cast<uv_handle_t *>(&poll_), on_closed);
  if (fd_ != none) platform::close(fd_);
  fd_ = none;
  if (!adopted_) closed();
}

void Connection::on_closed(uv_handle_t *handle) {
  static_cast<Connection *>(handle->data)->closed();
}

void Connection::closed() noexcept {
  Listener *listener = config_.listener;
  closed_ = true;
  reassembly_.reset(limits());
  backlog_.reset();
  config_.budget.held -= accounted_;
  accounted_ = 0;
  if (listener != nullptr) listener->connection_gone();
  hub().tell(*this, state_closed);
}

// --- asked

bool Connection::peer(platform::PeerCredentials &out) const noexcept {
  return open_ && !is_tcp_ && platform::peer_credentials(fd_, out);
}

bool Connection::remote_address(sockaddr_storage &out) const noexcept {
  return is_tcp_ && open_ && platform::remote_address(fd_, out) == 0;
}

void Connection::reference(bool on) noexcept {
  if (closed_ || !open_) return;
  detached_ = !on;
  if (!adopted_) return;
  auto *handle = reinterpret_cast<uv_handle_t *>(&poll_);
  if (on)
    uv_ref(handle);
  else
    uv_unref(handle);
}

} // namespace framewire

#include "connection.hpp"
#include "listener.hpp"
#include <algorithm>
#include <cstring>
#include <new>

namespace framewire {

namespace {
// Behind a large frame, another of up to this size gets its memory in one piece; as much was paid for it
// before.
constexpr size_t trusted_bytes = 1024 * 1024 + 64;
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
  memory.received[connection->slot_] = 0;
  memory.marks[connection->slot_] = 0;
  memory.owners[connection->slot_] = listener != nullptr ? listener->number() : 0;
  return connection;
}

Connection::Connection(Hub &hub, ChannelConfig &config, Listener *listener, bool is_tcp) noexcept
    : hub_(hub), config_(config), listener_(listener), is_tcp_(is_tcp), open_(false), adopted_(false),
      connecting_(false), reading_(false), paused_(false), own_target_(false), first_seen_(false),
      framed_(false), ended_(false), ending_(false), shut_(false), closing_(false), lingering_(false),
      closed_(false) {
  read_deadline_.owner = this;
}

Connection::~Connection() {
  drop_memory();
  if (fault_ != &exhausted_fault) delete fault_;
}

void Connection::drop_memory() noexcept {
  while (large_head_ != nullptr) {
    LargeFrame *next = large_head_->next;
    hub_.large().release(large_head_->block);
    delete large_head_;
    large_head_ = next;
  }
  reassembly_.reset(limits());
  if (backlog_ != nullptr) backlog_->queue.truncate(backlog_->in_flight);
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
  limits.trusted = std::min<size_t>(last_large_, trusted_bytes);
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
  } else if (config_.idle_timeout > 0) {
    hub_.clock().arm(read_deadline_, config_.deadlines.idle, config_.idle_timeout);
  }
}

bool Connection::adopt() noexcept {
  if (adopted_) return true;
  int status = init_stream();
  if (status == 0)
    status =
        is_tcp_ ? uv_tcp_open(&handle_.tcp, fd_) : uv_pipe_open(&handle_.pipe, static_cast<uv_file>(fd_));
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
  // The frame at fault is of no use any more.
  reassembly_.reset(limits());
  account();
  if (!lingering_) hub_.clock().disarm(read_deadline_);
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
  // Closing with input unread makes the peer's kernel throw our answer away or report a reset, so whoever may
  // still be writing is heard out. A peer whose last frame is whole has nothing on its way.
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

void Connection::destroy() noexcept {
  close_now();
}

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

void Connection::on_closed(uv_handle_t *handle) {
  static_cast<Connection *>(handle->data)->closed();
}

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
  if (on)
    uv_ref(&handle_.handle);
  else
    uv_unref(&handle_.handle);
}

} // namespace framewire

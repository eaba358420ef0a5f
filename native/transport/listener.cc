#include "listener.hpp"
#include "connection.hpp"
#include <initializer_list>
#include <new>

namespace framewire {

namespace {
// Connections taken per wake-up, so that a flood of them does not keep those already there from being served.
constexpr int accepts_per_turn = 128;
// After accepting failed for want of memory or descriptors: the next try.
constexpr uint64_t retry_ms = 100;
} // namespace

Listener *Listener::create(Hub &hub, ChannelConfig *config, uint32_t number, uint32_t max_connections,
                           bool hold, bool announce) noexcept {
  auto *listener = new (std::nothrow) Listener(hub, config, number, max_connections, hold, announce);
  if (listener == nullptr) return nullptr;
  config->references += 1;
  config->listener = listener;
  hub.add_listener(listener);
  return listener;
}

int Listener::listen_path(const char *path, size_t length, int backlog) noexcept {
  int status = platform::listen_path(path, length, backlog, fd_);
  if (status == 0) status = make_handles(false);
  return status < 0 ? status : watch();
}

int Listener::listen_tcp(const sockaddr *address, int backlog) noexcept {
  int status = platform::listen_tcp(address, backlog, fd_);
  if (status == 0) status = make_handles(true);
  return status < 0 ? status : watch();
}

// Listens last: somebody in this loop may be serving the descriptor, which only libuv knows (UV_EEXIST).
int Listener::listen_descriptor(int descriptor, bool shared, int backlog) noexcept {
  platform::Inherited inherited;
  int status = platform::inherit(descriptor, shared, inherited);
  if (status < 0) return status;
  fd_ = inherited.socket;
  status = make_handles(inherited.is_tcp);
  if (status == 0) status = platform::listen_inherited(inherited, backlog);
  if (status == 0) status = watch();
  if (status == 0) return 0;
  platform::give_back(inherited);
  // The caller's, who may try again; only a duplicate is ours to close.
  if (!shared) fd_ = static_cast<uv_os_sock_t>(-1);
  return status;
}

int Listener::make_handles(bool is_tcp) noexcept {
  is_tcp_ = is_tcp;
  int status = uv_timer_init(hub_.loop(), &retry_);
  if (status < 0) return status;
  retry_.data = this;
  has_retry_ = true;
  status = uv_poll_init_socket(hub_.loop(), &poll_, fd_);
  if (status < 0) return status;
  poll_.data = this;
  started_ = true;
  return 0;
}

int Listener::watch() noexcept {
  spare_ = platform::open_spare();
  return uv_poll_start(&poll_, UV_READABLE, on_readable);
}

void Listener::on_readable(uv_poll_t *poll, int status, int) {
  auto *self = static_cast<Listener *>(poll->data);
  if (status < 0) return self->failed(status);
  for (int i = 0; i < accepts_per_turn && !self->closing_; i++) {
    uv_os_sock_t fd;
    status = platform::accept(self->fd_, fd);
    if (status == 0) {
      self->accept_one(fd);
      continue;
    }
    if (status == UV_EAGAIN) return;
    // Gone before it was accepted: that peer's affair, and nobody else waits for it.
    if (status == UV_ECONNABORTED || status == UV_EPROTO) continue;
    if (status == UV_EMFILE || status == UV_ENFILE) {
      if (self->turn_away_one()) continue;
      return;
    }
    return self->failed(status);
  }
}

void Listener::accept_one(uv_os_sock_t fd) noexcept {
  Connection *connection =
      connections_ < max_connections_ ? Connection::create(hub_, *config_, is_tcp_) : nullptr;
  if (connection == nullptr) {
    platform::close(fd);
    dropped_ += 1;
    hub_.tell(*this, state_dropped);
    return;
  }
  connections_ += 1;
  if (announce_) hub_.tell(*connection, state_opened);
  connection->start_accepted(fd, hold_);
}

// No descriptor is left: the one kept back takes a connection just to close it, so that the client knows and
// the loop does not spin on a backlog it cannot empty.
bool Listener::turn_away_one() noexcept {
  bool turned = false;
  if (spare_ >= 0) {
    platform::close(static_cast<uv_os_sock_t>(spare_));
    uv_os_sock_t fd;
    turned = platform::accept(fd_, fd) == 0;
    if (turned) platform::close(fd);
    spare_ = platform::open_spare();
  }
  if (turned) {
    exhausted_ += 1;
    hub_.tell(*this, state_exhausted);
  } else {
    rest();
  }
  return turned;
}

void Listener::failed(int status) noexcept {
  error_ = status;
  hub_.tell(*this, state_error);
  rest();
}

void Listener::rest() noexcept {
  if (closing_ || !has_retry_) return;
  uv_poll_stop(&poll_);
  uv_timer_start(
      &retry_,
      [](uv_timer_t *timer) {
        auto *self = static_cast<Listener *>(timer->data);
        if (!self->closing_) uv_poll_start(&self->poll_, UV_READABLE, on_readable);
      },
      retry_ms, 0);
}

bool Listener::local_address(sockaddr_storage &out) const noexcept {
  if (!is_tcp_ || closing_) return false;
  return platform::local_address(fd_, out) == 0;
}

void Listener::close() noexcept {
  if (closing_) return;
  closing_ = true;
  if (spare_ >= 0) platform::close(static_cast<uv_os_sock_t>(spare_));
  spare_ = -1;
  if (started_) {
    open_handles_ += 1;
    uv_close(reinterpret_cast<uv_handle_t *>(&poll_), on_closed);
  }
  if (has_retry_) {
    open_handles_ += 1;
    uv_close(reinterpret_cast<uv_handle_t *>(&retry_), on_closed);
  }
  // uv_poll_t does not own the descriptor; it is closed behind the handle that watches it.
  if (fd_ != static_cast<uv_os_sock_t>(-1)) platform::close(fd_);
  fd_ = static_cast<uv_os_sock_t>(-1);
  if (open_handles_ == 0) {
    hub_.tell(*this, state_closed);
  }
}

void Listener::on_closed(uv_handle_t *handle) {
  auto *self = static_cast<Listener *>(handle->data);
  if (--self->open_handles_ == 0) self->hub_.tell(*self, state_closed);
}

void Listener::told_closed() noexcept {
  told_ = true;
  free_if_done();
}

void Listener::reference(bool on) noexcept {
  if (!started_ || closing_) return;
  // While it rests only the timer is active, and keeps the loop alive in its stead.
  auto *retry = has_retry_ ? reinterpret_cast<uv_handle_t *>(&retry_) : nullptr;
  for (uv_handle_t *handle : {reinterpret_cast<uv_handle_t *>(&poll_), retry}) {
    if (handle == nullptr) continue;
    if (on)
      uv_ref(handle);
    else
      uv_unref(handle);
  }
}

void Listener::connection_gone() noexcept {
  connections_ -= 1;
  free_if_done();
}

void Listener::free_if_done() noexcept {
  if (!told_ || connections_ > 0) return;
  hub_.remove_listener(this);
  if (--config_->references == 0) delete config_;
  delete this;
}

uint32_t Listener::take_dropped() noexcept {
  uint32_t count = dropped_;
  dropped_ = 0;
  return count;
}

uint32_t Listener::take_exhausted() noexcept {
  uint32_t count = exhausted_;
  exhausted_ = 0;
  return count;
}

} // namespace framewire

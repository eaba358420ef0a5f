// A listening socket: accepts several connections per wake-up, turns away what is over the limit and counts
// it.
#pragma once

#include "config.hpp"
#include "hub.hpp"
#include "platform.hpp"

namespace framewire {

class Listener final : public Pending {
public:
  // Number is what `HubMemory::owners` and `StateRow::slot` say; not 0. nullptr: no memory.
  static Listener *create(Hub &hub, ChannelConfig *config, uint32_t number, uint32_t max_connections,
                          bool hold, bool announce) noexcept;

  // 0 or a libuv error code; then `close` is still to be called. A descriptor is the listener's from success
  // on.
  int listen_path(const char *path, size_t length, int backlog) noexcept;
  int listen_tcp(const sockaddr *address, int backlog) noexcept;
  int listen_descriptor(int descriptor, bool shared, int backlog) noexcept;

  uint32_t number() const noexcept { return number_; }
  uint32_t connections() const noexcept { return connections_; }
  ChannelConfig &config() noexcept { return *config_; }
  bool local_address(sockaddr_storage &out) const noexcept;
  // The object frees itself when its handle is closed and its last connection is gone.
  void close() noexcept;
  void reference(bool on) noexcept;
  void connection_gone() noexcept;
  void told_closed() noexcept;
  // Numbers that a state row reported; taken together when the row is made.
  uint32_t take_dropped() noexcept;
  uint32_t take_exhausted() noexcept;
  int error() const noexcept { return error_; }

  Listener *previous = nullptr;
  Listener *next = nullptr;

private:
  Listener(Hub &hub, ChannelConfig *config, uint32_t number, uint32_t max_connections, bool hold,
           bool announce) noexcept
      : hub_(hub), config_(config), number_(number), max_connections_(max_connections), hold_(hold),
        announce_(announce) {
    is_listener = true;
  }
  static void on_readable(uv_poll_t *poll, int status, int events);
  static void on_closed(uv_handle_t *handle);
  int make_handles(bool is_tcp) noexcept;
  int watch() noexcept;
  void accept_one(uv_os_sock_t fd) noexcept;
  bool turn_away_one() noexcept;
  void failed(int status) noexcept;
  void rest() noexcept;
  void free_if_done() noexcept;

  Hub &hub_;
  ChannelConfig *config_;
  uint32_t number_;
  uint32_t max_connections_;
  uint32_t connections_ = 0;
  uint32_t dropped_ = 0, exhausted_ = 0;
  int error_ = 0;
  int spare_ = -1; // a descriptor kept back to turn connections away when there are no others
  bool hold_;      // connections do not read before they are told to
  bool announce_;  // connections are told of at once, not with their first event
  bool is_tcp_ = false;
  bool started_ = false; // the handle is libuv's
  bool closing_ = false;
  bool told_ = false; // the owner knows that it is closed
  bool has_retry_ = false;
  int open_handles_ = 0;
  uv_timer_t retry_;
  uv_os_sock_t fd_ = static_cast<uv_os_sock_t>(-1);
  uv_poll_t poll_;
};

} // namespace framewire

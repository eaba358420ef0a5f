// The only door to the operating system besides libuv: sockets, as they are on POSIX systems and on Windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <uv.h>

namespace framewire::platform {

struct PeerCredentials {
  int64_t pid = -1, uid = -1, gid = -1;
};

// What one buffer of libuv's holds: on Windows its length has 32 bits.
using BufferLength = decltype(uv_buf_t::len);
constexpr size_t buffer_most = std::numeric_limits<BufferLength>::max();

// Results: 0 or more is a count or a descriptor, below 0 is a libuv error code; UV_EAGAIN: would block.
int64_t receive(uv_os_sock_t socket, uint8_t *to, size_t room) noexcept;
int64_t send(uv_os_sock_t socket, const uv_buf_t *bufs, size_t count) noexcept;
int accept(uv_os_sock_t listener, uv_os_sock_t &out) noexcept;
void close(uv_os_sock_t socket) noexcept;
// A descriptor of no use but to be closed when there are no others; below 0: none.
int open_spare() noexcept;
// The error that waits on the socket, taken off it; 0: none.
int take_error(uv_os_sock_t socket) noexcept;
int shutdown_write(uv_os_sock_t socket) noexcept;
// The peer's kernel does not have all that was sent, or nobody knows.
bool has_unsent(uv_os_sock_t socket) noexcept;
int set_tcp_options(uv_os_sock_t socket, bool no_delay, bool keep_alive) noexcept;

// Bound, listening, non-blocking sockets. `path` may begin with NUL (Linux's abstract names).
int listen_path(const char *path, size_t length, int backlog, uv_os_sock_t &out) noexcept;
int listen_tcp(const sockaddr *address, int backlog, uv_os_sock_t &out) noexcept;
// A socket that somebody else bound, and what `listen_inherited` and libuv change about it.
struct Inherited {
  uv_os_sock_t socket = static_cast<uv_os_sock_t>(-1);
  bool is_tcp = false;
  int status_flags = 0, descriptor_flags = 0;
};
// Looks at it and changes nothing. `shared`: it stays theirs, and `out.socket` is another descriptor of it,
// ours.
int inherit(int descriptor, bool shared, Inherited &out) noexcept;
// Listens on it (again).
int listen_inherited(const Inherited &inherited, int backlog) noexcept;
// Leaves it open, with the flags it came with.
void give_back(const Inherited &inherited) noexcept;
// Another descriptor of the same socket.
int duplicate(int descriptor) noexcept;
// 0: connected, or on its way; the socket is writable when it is known, and `take_error` says how it went.
int connect_tcp(const sockaddr *address, uv_os_sock_t &out) noexcept;
int connect_path(const char *path, size_t length, uv_os_sock_t &out) noexcept;

// TCP only.
int local_address(uv_os_sock_t socket, sockaddr_storage &out) noexcept;
int remote_address(uv_os_sock_t socket, sockaddr_storage &out) noexcept;

bool peer_credentials(uv_os_sock_t socket, PeerCredentials &out) noexcept;

} // namespace framewire::platform

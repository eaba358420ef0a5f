// Windows: the same calls on its own sockets. Unix sockets and inherited descriptors are left to the JS
// backend there.
#ifdef _WIN32
#include "platform.hpp"
#include <cstring>
#include <winsock2.h>
#include <ws2tcpip.h>

namespace framewire::platform {

namespace {

int last_error() noexcept {
  int error = WSAGetLastError();
  return error == WSAEWOULDBLOCK ? UV_EAGAIN : uv_translate_sys_error(error);
}

int prepare(SOCKET socket) noexcept {
  u_long on = 1;
  return ioctlsocket(socket, FIONBIO, &on) != 0 ? last_error() : 0;
}

int size_of(const sockaddr *address) noexcept {
  return address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

int open_socket(int family, SOCKET &socket) noexcept {
  socket = ::socket(family, SOCK_STREAM, IPPROTO_TCP);
  if (socket == INVALID_SOCKET) return last_error();
  int status = prepare(socket);
  if (status < 0) closesocket(socket);
  return status;
}

} // namespace

int64_t receive(uv_os_sock_t socket, uint8_t *to, size_t room) noexcept {
  int most = room > INT_MAX ? INT_MAX : static_cast<int>(room);
  int n = ::recv(socket, reinterpret_cast<char *>(to), most, 0);
  return n < 0 ? last_error() : n;
}

int64_t send(uv_os_sock_t socket, const uv_buf_t *bufs, size_t count) noexcept {
  DWORD sent = 0;
  // uv_buf_t has the layout of WSABUF: libuv itself relies on it.
  auto *buffers = reinterpret_cast<WSABUF *>(const_cast<uv_buf_t *>(bufs));
  int status = WSASend(socket, buffers, static_cast<DWORD>(count), &sent, 0, nullptr, nullptr);
  return status != 0 ? last_error() : static_cast<int64_t>(sent);
}

int accept(uv_os_sock_t listener, uv_os_sock_t &out) noexcept {
  SOCKET socket = ::accept(listener, nullptr, nullptr);
  if (socket == INVALID_SOCKET) return last_error();
  if (int status = prepare(socket); status < 0) {
    closesocket(socket);
    return status;
  }
  out = socket;
  return 0;
}

void close(uv_os_sock_t socket) noexcept {
  closesocket(socket);
}

int open_spare() noexcept {
  return -1;
}

int take_error(uv_os_sock_t socket) noexcept {
  int error = 0, size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, reinterpret_cast<char *>(&error), &size) != 0)
    return last_error();
  return error == 0 ? 0 : uv_translate_sys_error(error);
}

int shutdown_write(uv_os_sock_t socket) noexcept {
  return ::shutdown(socket, SD_SEND) != 0 ? last_error() : 0;
}

bool has_unsent(uv_os_sock_t) noexcept {
  return true;
}

int set_tcp_options(uv_os_sock_t socket, bool no_delay, bool keep_alive) noexcept {
  BOOL on = TRUE;
  auto *value = reinterpret_cast<const char *>(&on);
  if (no_delay && setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, value, sizeof on) != 0) return last_error();
  if (keep_alive && setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, value, sizeof on) != 0) return last_error();
  return 0;
}

int listen_path(const char *, size_t, int, uv_os_sock_t &) noexcept {
  return UV_ENOTSUP;
}

int listen_tcp(const sockaddr *address, int backlog, uv_os_sock_t &out) noexcept {
  SOCKET socket;
  int status = open_socket(address->sa_family, socket);
  if (status < 0) return status;
  // Both families on ::, as elsewhere.
  DWORD only_v6 = 0;
  if (address->sa_family == AF_INET6)
    setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, reinterpret_cast<const char *>(&only_v6), sizeof only_v6);
  if (::bind(socket, address, size_of(address)) != 0 || ::listen(socket, backlog) != 0) {
    status = last_error();
    closesocket(socket);
    return status;
  }
  out = socket;
  return 0;
}

int duplicate(int) noexcept {
  return UV_ENOTSUP;
}

int inherit(int, bool, Inherited &) noexcept {
  return UV_ENOTSUP;
}

int listen_inherited(const Inherited &, int) noexcept {
  return UV_ENOTSUP;
}

void give_back(const Inherited &) noexcept {}

int connect_tcp(const sockaddr *address, uv_os_sock_t &out) noexcept {
  SOCKET socket;
  int status = open_socket(address->sa_family, socket);
  if (status < 0) return status;
  if (::connect(socket, address, size_of(address)) != 0 && WSAGetLastError() != WSAEWOULDBLOCK) {
    status = last_error();
    closesocket(socket);
    return status;
  }
  out = socket;
  return 0;
}

int connect_path(const char *, size_t, uv_os_sock_t &) noexcept {
  return UV_ENOTSUP;
}

int local_address(uv_os_sock_t socket, sockaddr_storage &out) noexcept {
  int size = sizeof out;
  return getsockname(socket, reinterpret_cast<sockaddr *>(&out), &size) != 0 ? last_error() : 0;
}

int remote_address(uv_os_sock_t socket, sockaddr_storage &out) noexcept {
  int size = sizeof out;
  return getpeername(socket, reinterpret_cast<sockaddr *>(&out), &size) != 0 ? last_error() : 0;
}

bool peer_credentials(uv_os_sock_t, PeerCredentials &) noexcept {
  return false;
}

} // namespace framewire::platform
#endif

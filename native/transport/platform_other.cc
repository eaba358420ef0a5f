// Where there are no POSIX descriptors: every call says so, and callers go by libuv.
#ifdef _WIN32
#include "platform.hpp"

namespace framewire::platform {

const bool has_descriptors = false;

int64_t receive(uv_os_sock_t, uint8_t *, size_t) noexcept {
  return UV_ENOTSUP;
}
int64_t send(uv_os_sock_t, const uv_buf_t *, size_t) noexcept {
  return UV_ENOTSUP;
}
int accept(uv_os_sock_t, uv_os_sock_t &) noexcept {
  return UV_ENOTSUP;
}
void close(uv_os_sock_t) noexcept {}
int open_spare() noexcept {
  return -1;
}
int shutdown_write(uv_os_sock_t) noexcept {
  return UV_ENOTSUP;
}
int set_tcp_options(uv_os_sock_t, bool, bool) noexcept {
  return UV_ENOTSUP;
}
int listen_path(const char *, size_t, int, uv_os_sock_t &) noexcept {
  return UV_ENOTSUP;
}
int listen_tcp(const sockaddr *, int, uv_os_sock_t &) noexcept {
  return UV_ENOTSUP;
}
int listen_descriptor(int, int, uv_os_sock_t &, bool &) noexcept {
  return UV_ENOTSUP;
}
int connect_path(const char *, size_t, uv_os_sock_t &) noexcept {
  return UV_ENOTSUP;
}
int local_address(uv_os_sock_t, sockaddr_storage &) noexcept {
  return UV_ENOTSUP;
}
int remote_address(uv_os_sock_t, sockaddr_storage &) noexcept {
  return UV_ENOTSUP;
}
bool peer_credentials(uv_os_sock_t, PeerCredentials &) noexcept {
  return false;
}

} // namespace framewire::platform
#endif

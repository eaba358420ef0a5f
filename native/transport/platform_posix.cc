// POSIX only. Nothing else in this directory includes a POSIX header.
#ifndef _WIN32
#include "platform.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

namespace framewire::platform {

namespace {

#ifdef MSG_NOSIGNAL
constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int send_flags = MSG_DONTWAIT; // SO_NOSIGPIPE is set on the socket instead
#endif

int last_error() noexcept {
  return errno == EWOULDBLOCK ? UV_EAGAIN : uv_translate_sys_error(errno);
}

int prepare(int fd) noexcept {
#ifdef SO_NOSIGPIPE
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return last_error();
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) return last_error();
  return 0;
}

int open_socket(int family, int &fd) noexcept {
#ifdef SOCK_NONBLOCK
  fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? last_error() : 0;
#else
  fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return last_error();
  int status = prepare(fd);
  if (status < 0) close(fd);
  return status;
#endif
}

int fill_path(const char *path, size_t length, sockaddr_un &address, socklen_t &size) noexcept {
  std::memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  bool abstract = length > 0 && path[0] == '\0';
  size_t room = sizeof address.sun_path - (abstract ? 0 : 1);
  if (length == 0 || length > room) return UV_ENAMETOOLONG;
  std::memcpy(address.sun_path, path, length);
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  return 0;
}

// Binds and listens; takes fd over, also when it fails.
int bind_and_listen(int fd, const sockaddr *address, socklen_t size, int backlog,
                    uv_os_sock_t &out) noexcept {
  if (::bind(fd, address, size) < 0 || ::listen(fd, backlog) < 0) {
    int status = last_error();
    ::close(fd);
    return status;
  }
  out = fd;
  return 0;
}

} // namespace

int64_t receive(uv_os_sock_t socket, uint8_t *to, size_t room) noexcept {
  ssize_t n;
  do n = ::recv(socket, to, room, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? last_error() : n;
}

int64_t send(uv_os_sock_t socket, const uv_buf_t *bufs, size_t count) noexcept {
  ssize_t n;
  if (count == 1) {
    do n = ::send(socket, bufs[0].base, bufs[0].len, send_flags);
    while (n < 0 && errno == EINTR);
  } else {
    msghdr message{};
    // uv_buf_t has the layout of iovec on every POSIX system: libuv itself relies on it.
    message.msg_iov = reinterpret_cast<iovec *>(const_cast<uv_buf_t *>(bufs));
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    do n = ::sendmsg(socket, &message, send_flags);
    while (n < 0 && errno == EINTR);
  }
  if (n >= 0) return n;
  return errno == ENOBUFS ? UV_EAGAIN : last_error();
}

int accept(uv_os_sock_t listener, uv_os_sock_t &out) noexcept {
  for (;;) {
#ifdef SOCK_NONBLOCK
    int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int fd = ::accept(listener, nullptr, nullptr);
#endif
    if (fd >= 0) {
#ifndef SOCK_NONBLOCK
      if (int status = prepare(fd); status < 0) {
        ::close(fd);
        return status;
      }
#endif
      out = fd;
      return 0;
    }
    // A client that gave up between its connect and our accept is nobody's error.
    if (errno != EINTR && errno != ECONNABORTED) return last_error();
  }
}

void close(uv_os_sock_t socket) noexcept {
  ::close(socket);
}

int open_spare() noexcept {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int take_error(uv_os_sock_t socket) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return last_error();
  return error == 0 ? 0 : uv_translate_sys_error(error);
}

int shutdown_write(uv_os_sock_t socket) noexcept {
  return ::shutdown(socket, SHUT_WR) < 0 ? last_error() : 0;
}

bool has_unsent(uv_os_sock_t socket) noexcept {
  int count = 0;
#if defined(SIOCOUTQ)
  return ioctl(socket, SIOCOUTQ, &count) < 0 || count > 0;
#elif defined(SO_NWRITE)
  socklen_t size = sizeof count;
  return getsockopt(socket, SOL_SOCKET, SO_NWRITE, &count, &size) < 0 || count > 0;
#else
  return true;
#endif
}

int set_tcp_options(uv_os_sock_t socket, bool no_delay, bool keep_alive) noexcept {
  int on = 1;
  if (no_delay && setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return last_error();
  if (keep_alive && setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0) return last_error();
  return 0;
}

int listen_path(const char *path, size_t length, int backlog, uv_os_sock_t &out) noexcept {
  sockaddr_un address;
  socklen_t size = 0;
  int fd = -1;
  int status = fill_path(path, length, address, size);
  if (status == 0) status = open_socket(AF_UNIX, fd);
  if (status < 0) return status;
  return bind_and_listen(fd, reinterpret_cast<sockaddr *>(&address), size, backlog, out);
}

int listen_tcp(const sockaddr *address, int backlog, uv_os_sock_t &out) noexcept {
  int fd = -1;
  int status = open_socket(address->sa_family, fd);
  if (status < 0) return status;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  bool v6 = address->sa_family == AF_INET6;
  return bind_and_listen(fd, address, v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in), backlog, out);
}

int duplicate(int descriptor) noexcept {
  const int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  return fd < 0 ? last_error() : fd;
}

int inherit(int descriptor, bool shared, Inherited &out) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  int type = 0;
  socklen_t type_size = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0) return last_error();
  if (type != SOCK_STREAM) return UV_EINVAL;
  if (getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &size) < 0) return last_error();
  out.is_tcp = address.ss_family != AF_UNIX;
  out.status_flags = fcntl(descriptor, F_GETFL);
  if (out.status_flags < 0) return last_error();
  const int fd = shared ? duplicate(descriptor) : descriptor;
  if (fd < 0) return fd;
  out.descriptor_flags = fcntl(fd, F_GETFD);
  out.socket = fd;
  return 0;
}

int listen_inherited(const Inherited &inherited, int backlog) noexcept {
  if (int status = prepare(inherited.socket); status < 0) return status;
  return ::listen(inherited.socket, backlog) < 0 ? last_error() : 0;
}

void give_back(const Inherited &inherited) noexcept {
  fcntl(inherited.socket, F_SETFL, inherited.status_flags);
  fcntl(inherited.socket, F_SETFD, inherited.descriptor_flags);
}

int connect_tcp(const sockaddr *address, uv_os_sock_t &out) noexcept {
  int fd = -1;
  int status = open_socket(address->sa_family, fd);
  if (status < 0) return status;
  bool v6 = address->sa_family == AF_INET6;
  // Interrupted, it goes on by itself.
  if (::connect(fd, address, v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in)) < 0 && errno != EINPROGRESS &&
      errno != EINTR) {
    status = last_error();
    ::close(fd);
    return status;
  }
  out = fd;
  return 0;
}

int connect_path(const char *path, size_t length, uv_os_sock_t &out) noexcept {
  sockaddr_un address;
  socklen_t size = 0;
  int fd = -1;
  int status = fill_path(path, length, address, size);
  if (status == 0) status = open_socket(AF_UNIX, fd);
  if (status < 0) return status;
  int result;
  do result = ::connect(fd, reinterpret_cast<sockaddr *>(&address), size);
  while (result < 0 && errno == EINTR);
  if (result < 0) {
    status = last_error();
    ::close(fd);
    return status;
  }
  out = fd;
  return 0;
}

int local_address(uv_os_sock_t socket, sockaddr_storage &out) noexcept {
  socklen_t size = sizeof out;
  return getsockname(socket, reinterpret_cast<sockaddr *>(&out), &size) < 0 ? last_error() : 0;
}

int remote_address(uv_os_sock_t socket, sockaddr_storage &out) noexcept {
  socklen_t size = sizeof out;
  return getpeername(socket, reinterpret_cast<sockaddr *>(&out), &size) < 0 ? last_error() : 0;
}

bool peer_credentials(uv_os_sock_t socket, PeerCredentials &out) noexcept {
#if defined(SO_PEERCRED) && defined(__linux__)
  struct {
    pid_t pid;
    uid_t uid;
    gid_t gid;
  } credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return false;
  // The kernel answers 0 / -1 / -1 for a socket that has no credentials, a TCP one say.
  if (credentials.uid == static_cast<uid_t>(-1)) return false;
  out = {credentials.pid, credentials.uid, credentials.gid};
  return true;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
  uid_t uid;
  gid_t gid;
  if (getpeereid(socket, &uid, &gid) < 0) return false;
  out.uid = uid;
  out.gid = gid;
#ifdef LOCAL_PEERPID
  pid_t pid;
  socklen_t size = sizeof pid;
  if (getsockopt(socket, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) == 0) out.pid = pid;
#endif
  return true;
#else
  (void)socket;
  (void)out;
  return false;
#endif
}

} // namespace framewire::platform
#endif

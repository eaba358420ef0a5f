#include "failing.hpp"
#include <cerrno>
#include <cstdlib>
#include <new>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

namespace framewire::test {

namespace {
unsigned every_call = 0, every_allocation = 0, call_count = 0, allocation_count = 0, failure_count = 0;
int spared = 0;

bool due(unsigned every, unsigned &count) noexcept {
  if (spared > 0 || every == 0) return false;
  if (++count % every != 0) return false;
  failure_count++;
  return true;
}

// Goes round the errors; 0 stands for a short write.
template <size_t N> int next_error(const int (&errors)[N]) noexcept {
  return errors[failure_count % N];
}
} // namespace

void Failing::arm(unsigned calls_, unsigned allocations_) noexcept {
  every_call = calls_;
  every_allocation = allocations_;
  call_count = allocation_count = failure_count = 0;
}

void Failing::disarm() noexcept {
  every_call = every_allocation = 0;
}

unsigned Failing::calls() noexcept {
  return call_count;
}

unsigned Failing::allocations() noexcept {
  return allocation_count;
}

unsigned Failing::failures() noexcept {
  return failure_count;
}

Spared::Spared() noexcept {
  spared++;
}

Spared::~Spared() {
  spared--;
}

} // namespace framewire::test

using namespace framewire::test;

extern "C" {
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_accept4(int fd, sockaddr *address, socklen_t *length, int flags);
ssize_t __real_recv(int fd, void *to, size_t size, int flags);
ssize_t __real_send(int fd, const void *from, size_t size, int flags);
ssize_t __real_sendmsg(int fd, const msghdr *message, int flags);
int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const sockaddr *address, socklen_t length);
int __real_bind(int fd, const sockaddr *address, socklen_t length);
int __real_listen(int fd, int backlog);
int __real_shutdown(int fd, int how);
int __real_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd);
int __real_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb callback);

void *__wrap_malloc(size_t size) {
  return due(every_allocation, allocation_count) ? nullptr : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size) {
  return due(every_allocation, allocation_count) ? nullptr : __real_realloc(memory, size);
}

int __wrap_accept4(int fd, sockaddr *address, socklen_t *length, int flags) {
  if (!due(every_call, call_count)) return __real_accept4(fd, address, length, flags);
  errno = next_error({EMFILE, ECONNABORTED, ENOBUFS, ENFILE, ENOMEM, EINTR});
  return -1;
}

ssize_t __wrap_recv(int fd, void *to, size_t size, int flags) {
  if (!due(every_call, call_count)) return __real_recv(fd, to, size, flags);
  errno = next_error({ECONNRESET, EAGAIN, EINTR, ENOMEM});
  return -1;
}

ssize_t __wrap_send(int fd, const void *from, size_t size, int flags) {
  if (!due(every_call, call_count)) return __real_send(fd, from, size, flags);
  errno = next_error({EPIPE, 0, ENOBUFS, EAGAIN, 0, ECONNRESET, EINTR});
  return errno != 0 ? -1 : __real_send(fd, from, size > 1 ? 1 : size, flags);
}

ssize_t __wrap_sendmsg(int fd, const msghdr *message, int flags) {
  if (!due(every_call, call_count)) return __real_sendmsg(fd, message, flags);
  errno = next_error({EPIPE, 0, ENOBUFS, EAGAIN, 0, ECONNRESET, EINTR});
  if (errno != 0) return -1;
  const iovec &first = message->msg_iov[0];
  return __real_send(fd, first.iov_base, first.iov_len > 1 ? first.iov_len - 1 : first.iov_len, flags);
}

int __wrap_socket(int domain, int type, int protocol) {
  if (!due(every_call, call_count)) return __real_socket(domain, type, protocol);
  errno = next_error({EMFILE, ENOBUFS, ENFILE});
  return -1;
}

int __wrap_connect(int fd, const sockaddr *address, socklen_t length) {
  if (!due(every_call, call_count)) return __real_connect(fd, address, length);
  errno = next_error({ECONNREFUSED, EAGAIN, EINTR, ENOMEM});
  return -1;
}

int __wrap_bind(int fd, const sockaddr *address, socklen_t length) {
  if (!due(every_call, call_count)) return __real_bind(fd, address, length);
  errno = next_error({EADDRINUSE, EACCES, ENOMEM});
  return -1;
}

int __wrap_listen(int fd, int backlog) {
  if (!due(every_call, call_count)) return __real_listen(fd, backlog);
  errno = EADDRINUSE;
  return -1;
}

int __wrap_shutdown(int fd, int how) {
  if (!due(every_call, call_count)) return __real_shutdown(fd, how);
  errno = ENOTCONN;
  return -1;
}

// Where libuv asks epoll, which may have no room for another descriptor.
int __wrap_uv_poll_init_socket(uv_loop_t *loop, uv_poll_t *poll, uv_os_sock_t fd) {
  return due(every_call, call_count) ? next_error({UV_ENOMEM, UV_ENOSPC})
                                     : __real_uv_poll_init_socket(loop, poll, fd);
}

int __wrap_uv_poll_start(uv_poll_t *poll, int events, uv_poll_cb callback) {
  return due(every_call, call_count) ? UV_ENOMEM : __real_uv_poll_start(poll, events, callback);
}
}

// `new (std::nothrow)` is what the sources say; everything else in the test may have its memory.
void *operator new(size_t size, const std::nothrow_t &) noexcept {
  return __wrap_malloc(size);
}

void *operator new(size_t size) {
  void *memory = __real_malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}

void operator delete(void *memory) noexcept {
  std::free(memory);
}

void operator delete(void *memory, size_t) noexcept {
  std::free(memory);
}

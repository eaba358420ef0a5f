// Preloaded into a server: every n-th system call on a connection it has accepted fails, and so does accepting. Which
// error comes next goes round; a short write is one of them. FAIL_EVERY says n. Sockets that were not accepted, such as
// the one to the process that started it, are left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 4096

static _Atomic unsigned calls, failures;
static unsigned char accepted[MOST];

static int is_accepted(int fd) {
  return fd >= 0 && fd < MOST && accepted[fd];
}

static int is_due(void) {
  static int every = -1;
  if (every < 0) every = getenv("FAIL_EVERY") ? atoi(getenv("FAIL_EVERY")) : 0;
  return every > 0 && ++calls % (unsigned)every == 0;
}

static int fail_with(const int *errors, unsigned count) {
  errno = errors[failures++ % count];
  return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define COUNT(errors) (sizeof(errors) / sizeof *(errors))

static const int accepting[] = {EMFILE, ECONNABORTED, ENOBUFS, ENFILE, ENOMEM, EPROTO};
static const int reading[] = {ECONNRESET, EAGAIN, EINTR, ETIMEDOUT};
static const int writing[] = {EPIPE, ENOBUFS, 0, ECONNRESET, EAGAIN, 0};

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  if (is_due()) return fail_with(accepting, COUNT(accepting));
  int result = REAL(accept4)(fd, address, length, flags);
  if (result >= 0 && result < MOST) accepted[result] = 1;
  return result;
}

int close(int fd) {
  if (is_accepted(fd)) accepted[fd] = 0;
  return REAL(close)(fd);
}

#define INPUT(name, parameters, arguments)                                                                             \
  ssize_t name parameters {                                                                                            \
    if (is_accepted(fd) && is_due()) return fail_with(reading, COUNT(reading));                                        \
    return REAL(name) arguments;                                                                                       \
  }

INPUT(read, (int fd, void *to, size_t size), (fd, to, size))
INPUT(recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
INPUT(recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))

// 1: fail with errno; 0: write a single byte; -1: as asked.
static int verdict(int fd) {
  if (!is_accepted(fd) || !is_due()) return -1;
  fail_with(writing, COUNT(writing));
  return errno != 0;
}

ssize_t write(int fd, const void *from, size_t size) {
  int how = verdict(fd);
  if (how == 1) return -1;
  return REAL(write)(fd, from, how == 0 && size > 1 ? 1 : size);
}

ssize_t send(int fd, const void *from, size_t size, int flags) {
  int how = verdict(fd);
  if (how == 1) return -1;
  return REAL(send)(fd, from, how == 0 && size > 1 ? 1 : size, flags);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  int how = verdict(fd);
  if (how == 1) return -1;
  if (how == 0 && count > 0 && pieces->iov_len > 0) return REAL(write)(fd, pieces->iov_base, 1);
  return REAL(writev)(fd, pieces, count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  int how = verdict(fd);
  if (how == 1) return -1;
  if (how == 0 && message->msg_iovlen > 0 && message->msg_iov->iov_len > 0)
    return REAL(send)(fd, message->msg_iov->iov_base, 1, flags);
  return REAL(sendmsg)(fd, message, flags);
}

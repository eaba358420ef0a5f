/* A client that knows nothing of the package: writes FRAMES frames of 0 B to 1 MiB (4 bytes of length, big-endian) in
 * random pieces to the server at the unix socket PATH, and compares what comes back, byte for byte, with the same stream
 * made a second time. It reads and writes side by side, as poll allows. Everything follows from SEED.
 *
 *   cc -O2 -o echo echo.c && ./echo PATH FRAMES SEED
 *
 * One line of JSON and exit code 0, or a sentence on stderr and 1. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LARGEST (1u << 20)
#define ROOM (4 + LARGEST + 8)

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t next(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

/* A state that is never 0, for any seed. */
static uint64_t seeded(uint64_t seed) {
  uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  return (z ^ (z >> 27)) | 1;
}

/* The stream, a frame at a time: `bytes` has the current one, `at` is how much of it has been used. */
struct stream {
  uint64_t random, frames, made;
  size_t at, length;
  uint8_t bytes[ROOM];
};

static struct stream writing, reading;

/* As many frames between 2^n and 2^(n+1) bytes as between any other two: mostly small, 77 KiB on average. */
static uint32_t size_of(uint64_t random) {
  if (random % 64 == 0) return 0;
  if (random % 512 == 1) return LARGEST;
  uint32_t low = 1u << ((random >> 16) % 20);
  return low + ((uint32_t)(random >> 32) & (low - 1));
}

static int make_next(struct stream *s) {
  if (s->made == s->frames) return 0;
  uint32_t size = size_of(next(&s->random));
  s->bytes[0] = (uint8_t)(size >> 24);
  s->bytes[1] = (uint8_t)(size >> 16);
  s->bytes[2] = (uint8_t)(size >> 8);
  s->bytes[3] = (uint8_t)size;
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = next(&s->random);
    memcpy(s->bytes + 4 + i, &word, 8);
  }
  s->at = 0;
  s->length = 4 + (size_t)size;
  s->made++;
  return 1;
}

/* At most `most` bytes of the stream, across frames; 0 at its end. */
static size_t take(struct stream *s, uint8_t *into, size_t most) {
  size_t taken = 0;
  while (taken < most && (s->at < s->length || make_next(s))) {
    size_t part = s->length - s->at < most - taken ? s->length - s->at : most - taken;
    memcpy(into + taken, s->bytes + s->at, part);
    s->at += part;
    taken += part;
  }
  return taken;
}

/* Whether `count` bytes are the stream's next ones. */
static int is_next(struct stream *s, const uint8_t *bytes, size_t count) {
  for (size_t seen = 0; seen < count;) {
    if (s->at == s->length && !make_next(s)) return 0;
    size_t part = s->length - s->at < count - seen ? s->length - s->at : count - seen;
    if (memcmp(bytes + seen, s->bytes + s->at, part) != 0) return 0;
    s->at += part;
    seen += part;
  }
  return 1;
}

/* 1 B to `most`, small and large ones alike often. */
static size_t piece(uint64_t *random, int powers) {
  uint64_t r = next(random);
  size_t low = (size_t)1 << ((r >> 8) % (uint64_t)powers);
  return low + ((size_t)(r >> 32) & (low - 1));
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "the path is too long: %s\n", path);
    exit(1);
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

static void start(struct stream *s, uint64_t frames, uint64_t seed) {
  s->random = seeded(seed);
  s->frames = frames;
  s->made = s->at = s->length = 0;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "echo PATH FRAMES SEED\n");
    return 1;
  }
  static uint8_t out[1 << 18], in[1 << 17];
  uint64_t seed = strtoull(argv[3], NULL, 10), pieces = seeded(~seed);
  uint64_t sent = 0, received = 0, writes = 0, reads = 0;
  size_t held = 0, from = 0;
  int is_writing = 1;
  start(&writing, strtoull(argv[2], NULL, 10), seed);
  start(&reading, writing.frames, seed);
  int fd = connect_to(argv[1]);
  for (;;) {
    struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (is_writing ? POLLOUT : 0))};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) die("poll");
    if (is_writing && (ready.revents & POLLOUT)) {
      if (from == held) {
        from = 0;
        held = take(&writing, out, piece(&pieces, 17));
      }
      ssize_t n = held ? send(fd, out + from, held - from, MSG_NOSIGNAL) : 0;
      if (n < 0 && errno != EAGAIN && errno != EINTR) die("send");
      if (n > 0) {
        from += (size_t)n;
        sent += (uint64_t)n;
        writes++;
      }
      if (held == 0) {
        is_writing = 0;
        shutdown(fd, SHUT_WR);
      }
    }
    if (ready.revents & (POLLIN | POLLHUP | POLLERR)) {
      ssize_t n = recv(fd, in, piece(&pieces, 16), 0);
      if (n < 0 && errno != EAGAIN && errno != EINTR) die("recv");
      if (n == 0) break;
      if (n > 0) {
        if (!is_next(&reading, in, (size_t)n)) {
          fprintf(stderr, "frame %llu is not what was sent, within %zd bytes from byte %llu of the stream on\n",
                  (unsigned long long)reading.made, n, (unsigned long long)received);
          return 1;
        }
        received += (uint64_t)n;
        reads++;
      }
    }
  }
  if (is_writing || received != sent || reading.made != reading.frames || reading.at != reading.length) {
    fprintf(stderr, "the connection ended after %llu of %llu bytes, in frame %llu of %llu\n",
            (unsigned long long)received, (unsigned long long)sent, (unsigned long long)reading.made,
            (unsigned long long)reading.frames);
    return 1;
  }
  printf("{\"frames\":%llu,\"bytes\":%llu,\"writes\":%llu,\"reads\":%llu}\n", (unsigned long long)reading.made,
         (unsigned long long)received, (unsigned long long)writes, (unsigned long long)reads);
  return 0;
}

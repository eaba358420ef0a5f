/* What the generator and the reference server share: addresses, the clock, and the stream of frames that is
 * sent. The stream is a cycle of whole frames whose bytes are known at every offset, so either side can check
 * what it reads with one memcmp per read. It knows nothing of modes or of Node. */
#ifndef FRAMEWIRE_BENCH_COMMON_H
#define FRAMEWIRE_BENCH_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (256 * 1024)
#define OK_REPLY "{\"res\":\"ok\",\"msg\":\"\xe9\x95\xbf\xe5\xba\xa6\xe7\x9b\xb8\xe5\x90\x8c\"}"

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...) {
  __builtin_va_list args;
  __builtin_va_start(args, format);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  exit(2);
}

static inline void *must_alloc(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (!memory) die("out of memory: %zu bytes", size);
  return memory;
}

static inline void put_be32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

static inline uint32_t get_be32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return __builtin_bswap32(value);
}

/* ---- addresses: a unix path, PORT, :PORT or IPv4:PORT ---- */

struct address {
  union {
    struct sockaddr any;
    struct sockaddr_un path;
    struct sockaddr_in port;
  } at;
  socklen_t length;
};

static inline struct address parse_address(const char *text) {
  struct address address;
  memset(&address, 0, sizeof address);
  const char *colon = strrchr(text, ':');
  const char *digits = colon ? colon + 1 : text;
  if (*digits && strspn(digits, "0123456789") == strlen(digits) && !strchr(text, '/')) {
    char host[64] = "127.0.0.1";
    if (colon && colon != text) snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    address.at.port.sin_family = AF_INET;
    address.at.port.sin_port = htons((uint16_t)atoi(digits));
    if (inet_pton(AF_INET, host, &address.at.port.sin_addr) != 1) die("not an IPv4 address: %s", host);
    address.length = sizeof address.at.port;
    return address;
  }
  if (strlen(text) >= sizeof address.at.path.sun_path) die("socket path too long: %s", text);
  address.at.path.sun_family = AF_UNIX;
  strcpy(address.at.path.sun_path, text);
  address.length = sizeof address.at.path;
  return address;
}

static inline int is_tcp(const struct address *address) { return address->at.any.sa_family == AF_INET; }

static inline void no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static inline void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* ---- the stream of frames ---- */

struct stream {
  uint8_t *bytes;       /* one cycle, then its first READ_SIZE bytes (or all of it, again and again) once more */
  size_t cycle;         /* bytes in a cycle, headers included */
  uint32_t frames;      /* frames in a cycle */
  size_t *ends;         /* where each frame of the cycle ends */
  size_t payload_bytes; /* payload bytes in a cycle */
};

enum header { BE32, LE32, VARINT };

static inline size_t put_header(uint8_t *at, size_t payload, enum header header) {
  if (header != VARINT) {
    put_be32(at, header == BE32 ? (uint32_t)payload : __builtin_bswap32((uint32_t)payload));
    return 4;
  }
  size_t width = 0;
  for (; payload >= 128; payload >>= 7) at[width++] = (uint8_t)(payload | 128);
  at[width++] = (uint8_t)payload;
  return width;
}

/* Byte j of the payload of frame i of the cycle. JavaScript parties that send make frame 0 by the same rule. */
static inline uint8_t payload_byte(size_t j, size_t i) { return (uint8_t)(j * 31 + (j >> 8) * 17 + i * 7 + 5); }

/* The i-th of a hundred mixed sizes: 90 of 64 B, 9 of 4 KiB, 1 of 256 KiB, spread out. */
static inline size_t mixed_size(size_t i) {
  if (i == 50) return 256 * 1024;
  return i % 11 == 5 ? 4096 : 64;
}

static inline struct stream make_stream(size_t size, int mixed, enum header header, int single) {
  struct stream stream;
  size_t frames = single ? 1 : mixed ? 100 : 65536 / (size + 4);
  if (frames == 0) frames = 1;
  if (frames > 4096) frames = 4096;
  size_t room = mixed ? 100 * 80 + 9 * 4200 + 263000 : frames * (size + 10);
  uint8_t *bytes = must_alloc(room);
  size_t at = 0, payload_bytes = 0;
  stream.ends = must_alloc(frames * sizeof(size_t));
  for (size_t i = 0; i < frames; i++) {
    size_t payload = mixed ? mixed_size(i) : size;
    at += put_header(bytes + at, payload, header);
    for (size_t j = 0; j < payload; j++) bytes[at + j] = payload_byte(j, i);
    at += payload;
    payload_bytes += payload;
    stream.ends[i] = at;
  }
  stream.cycle = at;
  stream.frames = (uint32_t)frames;
  stream.payload_bytes = payload_bytes;
  stream.bytes = must_alloc(at + READ_SIZE);
  memcpy(stream.bytes, bytes, at);
  for (size_t copied = 0; copied < READ_SIZE;) {
    size_t part = READ_SIZE - copied < at ? READ_SIZE - copied : at;
    memcpy(stream.bytes + at + copied, bytes, part);
    copied += part;
  }
  free(bytes);
  return stream;
}

#endif

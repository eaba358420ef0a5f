/* The load generator: one process, one thread, one mode a run, one line of JSON. It checks everything it is sent
 * and counts an error for every mismatch; a run with errors is no measurement. See --help. */
#include "common.h"
#include <getopt.h>
#include <poll.h>

static const char *HELP =
    "loadgen MODE ADDRESS [options]\n"
    "  ADDRESS  a unix socket path, or PORT, :PORT, IPv4:PORT\n"
    "\n"
    "  receive   blast frames at a server on --connections (1), end, wait for its end of input\n"
    "  send      connect and count what the server sends until it ends; every byte is compared\n"
    "  echo      one connection, --outstanding frames in flight, every byte that comes back is compared\n"
    "  pingpong  echo with one in flight\n"
    "  conns     --connections connections, one frame in flight on each, replies compared\n"
    "  exchange  connect, one frame, one reply, close; --connections at a time, replies compared\n"
    "  idle      open --connections, half a frame on each, print {\"held\":N}; on a line on stdin finish the\n"
    "            frames, wait for each end of input, print the result\n"
    "\n"
    "  --size N          payload bytes (64); 'mixed': 90% 64 B, 9% 4 KiB, 1% 256 KiB (receive and echo)\n"
    "  --seconds S       how long (1)              --frames N   or how many frames (receive, echo, exchange)\n"
    "  --outstanding K   frames in flight (64)     --connections N   (16)\n"
    "  --header H        be32 (default), le32 or varint (protobuf)\n"
    "  --reply TEXT      what exchange must answer (the JSON of a whole frame); with --size echo: --reply echo\n"
    "  --limit S         give up after that long without progress (10)\n"
    "\n"
    "Result: {mode, frames, bytes (wire), payloadBytes, seconds, cpu, p50, p90, p99, p999, max, errors}, times\n"
    "in microseconds; cpu is this process's own\n"
    "Both on one core:  taskset -c 1 build/server count /tmp/s &  taskset -c 1 build/loadgen receive /tmp/s\n";

struct options {
  const char *mode;
  struct address address;
  size_t size;
  int mixed;
  enum header header;
  double seconds;
  uint64_t frames; /* 0: by time */
  size_t outstanding, connections;
  const char *reply;
  int limit_ms;
};

/* ---- latencies: 128 buckets to the octave, under 1% wide ---- */

static uint64_t histogram[64 * 128];

static inline void record(uint64_t ns, uint64_t count) {
  unsigned octave = ns < 128 ? 0 : 64 - 7 - (unsigned)__builtin_clzll(ns) - 1 + 1;
  size_t index = octave == 0 ? ns : ((size_t)octave << 7) + (size_t)((ns >> (octave - 1)) & 127);
  histogram[index] += count;
}

static double quantile(double q) {
  uint64_t total = 0, seen = 0;
  for (size_t i = 0; i < 64 * 128; i++) total += histogram[i];
  for (size_t i = 0; i < 64 * 128; i++) {
    seen += histogram[i];
    if (seen && (double)seen >= q * (double)total) {
      size_t octave = i >> 7;
      double low = octave == 0 ? (double)i : (double)(((i & 127) | 128) * (1ull << (octave - 1)));
      double width = octave == 0 ? 1 : (double)(1ull << (octave - 1));
      return (low + width / 2) / 1000;
    }
  }
  return 0;
}

struct result {
  uint64_t frames, bytes, payload_bytes, errors, ns;
  int latency;
};

/* CPU time of this process since the run began: the sum of both sides' is what one core would need. */
static uint64_t cpu_begun;

static uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t begin(void) {
  cpu_begun = cpu_ns();
  return now_ns();
}

static int report(const struct options *o, const struct result *r) {
  printf("{\"mode\":\"%s\",\"frames\":%llu,\"bytes\":%llu,\"payloadBytes\":%llu,\"seconds\":%.6f,\"cpu\":%.0f", o->mode,
         (unsigned long long)r->frames, (unsigned long long)r->bytes, (unsigned long long)r->payload_bytes,
         (double)r->ns / 1e9, (double)(cpu_ns() - cpu_begun) / 1e3);
  if (r->latency)
    printf(",\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f", quantile(0.5), quantile(0.9),
           quantile(0.99), quantile(0.999), quantile(1));
  printf(",\"errors\":%llu}\n", (unsigned long long)r->errors);
  return r->errors ? 1 : 0;
}

/* One of many connections. */
struct slot {
  int fd;
  uint32_t frame; /* of the cycle */
  size_t got;     /* bytes of it that came back; or, when blasting, bytes of the cycle that went out */
  uint64_t sent_at;
};

static int open_connection(const struct options *o) {
  int fd = socket(o->address.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  while (connect(fd, &o->address.at.any, o->address.length) < 0)
    if (errno != EINTR) die("connect: %s", strerror(errno));
  if (is_tcp(&o->address)) no_delay(fd);
  return fd;
}

static void wait_for(int fd, short events, const struct options *o) {
  struct pollfd one = {fd, events, 0};
  int n = poll(&one, 1, o->limit_ms);
  if (n == 0) die("no progress for %d ms", o->limit_ms);
}

/* Reads to the peer's end of input and says how many bytes came before it. */
static uint64_t read_to_end(int fd, const struct options *o) {
  static uint8_t bytes[4096];
  uint64_t total = 0;
  for (;;) {
    wait_for(fd, POLLIN, o);
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return total;
    if (n < 0 && errno != EINTR) die("read: %s", strerror(errno));
    if (n > 0) total += (uint64_t)n;
  }
}

static int run_receive(const struct options *o) {
  struct stream s = make_stream(o->size, o->mixed, o->header, 0);
  struct result r = {0};
  int fd = open_connection(o);
  uint64_t start = begin(), deadline = start + (uint64_t)(o->seconds * 1e9);
  size_t at = 0;
  uint64_t cycles = 0, whole = o->frames / s.frames;
  size_t rest = o->frames % s.frames ? s.ends[o->frames % s.frames - 1] : 0;
  for (;;) {
    if (at == 0 && (o->frames ? cycles == whole : now_ns() >= deadline)) break;
    size_t part = s.cycle - at < READ_SIZE ? s.cycle - at : READ_SIZE;
    ssize_t n = write(fd, s.bytes + at, part);
    if (n < 0) {
      if (errno == EINTR) continue;
      die("write after %llu cycles: %s", (unsigned long long)cycles, strerror(errno));
    }
    at += (size_t)n;
    if (at == s.cycle) {
      at = 0;
      cycles++;
    }
  }
  for (size_t sent = 0; o->frames && sent < rest;) {
    ssize_t n = write(fd, s.bytes + sent, rest - sent);
    if (n < 0 && errno != EINTR) die("write: %s", strerror(errno));
    if (n > 0) sent += (size_t)n;
  }
  shutdown(fd, SHUT_WR);
  uint64_t answered = read_to_end(fd, o);
  r.ns = now_ns() - start;
  r.errors = answered ? 1 : 0;
  r.frames = o->frames ? o->frames : cycles * s.frames;
  r.bytes = cycles * s.cycle + rest;
  r.payload_bytes = cycles * s.payload_bytes;
  for (size_t i = 0; rest && i < o->frames % s.frames; i++) r.payload_bytes += o->mixed ? mixed_size(i) : o->size;
  return report(o, &r);
}

/* Many connections blast at once, each as fast as it is read. */
static int run_receive_many(const struct options *o) {
  struct stream s = make_stream(o->size, o->mixed, o->header, 0);
  struct result r = {0};
  struct slot *slots = must_alloc(o->connections * sizeof *slots);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < o->connections; i++) {
    slots[i] = (struct slot){open_connection(o), 0, 0, 0};
    struct epoll_event event = {.events = EPOLLOUT, .data = {.ptr = &slots[i]}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, slots[i].fd, &event);
  }
  uint64_t start = begin(), deadline = start + (uint64_t)(o->seconds * 1e9), cycles = 0;
  size_t open = o->connections;
  struct epoll_event events[256];
  while (open) {
    int n = epoll_wait(epoll, events, 256, o->limit_ms);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("no progress for %d ms", o->limit_ms);
    int stop = now_ns() >= deadline;
    for (int i = 0; i < n; i++) {
      struct slot *slot = events[i].data.ptr;
      if (slot->got == 0 && stop) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, slot->fd, NULL);
        shutdown(slot->fd, SHUT_WR);
        open--;
        continue;
      }
      ssize_t sent = send(slot->fd, s.bytes + slot->got, s.cycle - slot->got, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (sent < 0) die("write: %s", strerror(errno));
      slot->got += (size_t)sent;
      if (slot->got < s.cycle) continue;
      slot->got = 0;
      cycles++;
    }
  }
  for (size_t i = 0; i < o->connections; i++)
    if (read_to_end(slots[i].fd, o)) r.errors++;
  r.ns = now_ns() - start;
  r.frames = cycles * s.frames;
  r.bytes = cycles * s.cycle;
  r.payload_bytes = cycles * s.payload_bytes;
  return report(o, &r);
}

static int run_send(const struct options *o) {
  struct stream s = make_stream(o->size, 0, o->header, 1);
  struct result r = {0};
  uint8_t *bytes = must_alloc(READ_SIZE);
  int fd = open_connection(o);
  uint64_t start = begin();
  size_t at = 0;
  for (;;) {
    ssize_t n = read(fd, bytes, READ_SIZE);
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      die("read: %s", strerror(errno));
    }
    if (r.bytes == 0) start = begin();
    if (memcmp(bytes, s.bytes + at, (size_t)n) != 0) r.errors++;
    r.bytes += (uint64_t)n;
    at = (at + (size_t)n) % s.cycle;
  }
  r.ns = now_ns() - start;
  r.frames = r.bytes / s.cycle;
  r.payload_bytes = r.frames * s.payload_bytes;
  if (at != 0) r.errors++;
  return report(o, &r);
}

static int run_echo(const struct options *o) {
  struct stream s = make_stream(o->size, o->mixed, o->header, 0);
  struct result r = {.latency = 1};
  uint8_t *bytes = must_alloc(READ_SIZE);
  size_t k = o->outstanding;
  uint64_t *sent_at = must_alloc(k * sizeof *sent_at);
  int fd = open_connection(o);
  uint64_t start = begin(), deadline = start + (uint64_t)(o->seconds * 1e9), t = start;
  /* Positions are offsets in the cycle; `sent` counts frames whose last byte is meant to go out. */
  size_t out = 0, goal = 0, in = 0;
  uint32_t goal_frame = 0, in_frame = 0;
  uint64_t sent = 0, back = 0, to_write = 0;
  size_t ring_in = 0, ring_out = 0;
  for (;;) {
    int stop = o->frames ? sent >= o->frames : t >= deadline;
    while (!stop && sent - back < k && (!o->frames || sent < o->frames)) {
      to_write += s.ends[goal_frame] - goal;
      goal = s.ends[goal_frame];
      if (++goal_frame == s.frames) {
        goal_frame = 0;
        goal = 0;
      }
      sent_at[ring_out] = t;
      if (++ring_out == k) ring_out = 0;
      sent++;
    }
    if (back == sent && stop) break;
    while (to_write) {
      size_t part = s.cycle - out < to_write ? s.cycle - out : to_write;
      ssize_t n = send(fd, s.bytes + out, part, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) break;
        die("write: %s", strerror(errno));
      }
      out += (size_t)n;
      if (out == s.cycle) out = 0;
      to_write -= (size_t)n;
    }
    if (to_write) wait_for(fd, POLLIN | POLLOUT, o);
    ssize_t n = recv(fd, bytes, READ_SIZE, to_write ? MSG_DONTWAIT : 0);
    t = now_ns();
    if (n < 0) {
      if (errno == EINTR || (errno == EAGAIN && to_write)) continue;
      die("read: %s", strerror(errno));
    }
    if (n == 0) {
      r.errors++;
      break;
    }
    for (size_t done = 0; done < (size_t)n;) {
      size_t part = (size_t)n - done;
      if (part > s.cycle - in) part = s.cycle - in;
      if (memcmp(bytes + done, s.bytes + in, part) != 0) r.errors++;
      in += part;
      done += part;
      while (in_frame < s.frames && in >= s.ends[in_frame]) {
        record(t - sent_at[ring_in], 1);
        if (++ring_in == k) ring_in = 0;
        back++;
        in_frame++;
      }
      if (in == s.cycle) {
        in = 0;
        in_frame = 0;
      }
    }
    r.bytes += (uint64_t)n;
  }
  r.ns = now_ns() - start;
  r.frames = back;
  for (uint32_t i = 0; o->mixed && i < s.frames; i++) {
    uint64_t times = r.frames / s.frames + (i < r.frames % s.frames);
    r.payload_bytes += times * mixed_size(i);
  }
  if (!o->mixed) r.payload_bytes = r.frames * o->size;
  if (back != sent) r.errors++;
  shutdown(fd, SHUT_WR);
  if (read_to_end(fd, o)) r.errors++;
  return report(o, &r);
}

static void send_whole(int fd, const uint8_t *bytes, size_t length, const struct options *o) {
  while (length) {
    ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EAGAIN) wait_for(fd, POLLOUT, o);
      else if (errno != EINTR) die("write: %s", strerror(errno));
      continue;
    }
    bytes += n;
    length -= (size_t)n;
  }
}

static void watch(int epoll, int fd, struct slot *slot) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = slot}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

static int run_conns(const struct options *o) {
  struct stream s = make_stream(o->size, 0, o->header, 0);
  struct result r = {.latency = 1};
  uint8_t *bytes = must_alloc(READ_SIZE);
  struct slot *slots = must_alloc(o->connections * sizeof *slots);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < o->connections; i++) {
    slots[i] = (struct slot){open_connection(o), (uint32_t)(i % s.frames), 0, 0};
    watch(epoll, slots[i].fd, &slots[i]);
  }
  size_t wire = s.ends[0], flying = o->connections;
  uint64_t start = begin(), deadline = start + (uint64_t)(o->seconds * 1e9), t = start;
  for (size_t i = 0; i < o->connections; i++) {
    slots[i].sent_at = start;
    send_whole(slots[i].fd, s.bytes + slots[i].frame * wire, wire, o);
  }
  struct epoll_event events[1024];
  while (flying) {
    int n = epoll_wait(epoll, events, 1024, o->limit_ms);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("no progress for %d ms", o->limit_ms);
    t = now_ns();
    for (int i = 0; i < n; i++) {
      struct slot *slot = events[i].data.ptr;
      ssize_t got = recv(slot->fd, bytes, READ_SIZE, MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0 || (size_t)got > wire - slot->got) die("connection lost or too much came back");
      if (memcmp(bytes, s.bytes + slot->frame * wire + slot->got, (size_t)got) != 0) r.errors++;
      slot->got += (size_t)got;
      r.bytes += (uint64_t)got;
      if (slot->got < wire) continue;
      record(t - slot->sent_at, 1);
      r.frames++;
      if (t >= deadline) {
        flying--;
        continue;
      }
      slot->got = 0;
      if (++slot->frame == s.frames) slot->frame = 0;
      slot->sent_at = t;
      send_whole(slot->fd, s.bytes + slot->frame * wire, wire, o);
    }
  }
  r.ns = t - start;
  r.payload_bytes = r.frames * o->size;
  for (size_t i = 0; i < o->connections; i++) shutdown(slots[i].fd, SHUT_WR);
  for (size_t i = 0; i < o->connections; i++)
    if (read_to_end(slots[i].fd, o)) r.errors++;
  return report(o, &r);
}

static void begin_exchange(int epoll, struct slot *slot, const uint8_t *frame, size_t wire, const struct options *o) {
  slot->sent_at = now_ns();
  slot->got = 0;
  slot->fd = open_connection(o);
  send_whole(slot->fd, frame, wire, o);
  watch(epoll, slot->fd, slot);
}

static int run_exchange(const struct options *o) {
  struct stream s = make_stream(o->size, 0, o->header, 1);
  struct result r = {.latency = 1};
  size_t reply_length = strcmp(o->reply, "echo") == 0 ? o->size : strlen(o->reply);
  uint8_t *reply = must_alloc(reply_length + 4), *bytes = must_alloc(reply_length + 64);
  put_be32(reply, (uint32_t)reply_length);
  memcpy(reply + 4, strcmp(o->reply, "echo") == 0 ? s.bytes + 4 : (const uint8_t *)o->reply, reply_length);
  struct slot *slots = must_alloc(o->connections * sizeof *slots);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  uint64_t start = begin(), deadline = start + (uint64_t)(o->seconds * 1e9), t = start, begun = o->connections;
  size_t flying = o->connections;
  for (size_t i = 0; i < o->connections; i++) begin_exchange(epoll, &slots[i], s.bytes, s.cycle, o);
  struct epoll_event events[256];
  while (flying) {
    int n = epoll_wait(epoll, events, 256, o->limit_ms);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die("no progress for %d ms", o->limit_ms);
    for (int i = 0; i < n; i++) {
      struct slot *slot = events[i].data.ptr;
      ssize_t got;
      /* The reply and the end behind it are often both there already. */
      while ((got = recv(slot->fd, bytes, reply_length + 64, MSG_DONTWAIT)) > 0) {
        if (slot->got + (size_t)got > reply_length + 4 || memcmp(bytes, reply + slot->got, (size_t)got) != 0)
          r.errors++;
        slot->got += (size_t)got;
      }
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got < 0 || slot->got != reply_length + 4) r.errors++;
      t = now_ns();
      record(t - slot->sent_at, 1);
      r.frames++;
      r.bytes += slot->got;
      close(slot->fd);
      if (o->frames ? begun >= o->frames : t >= deadline) {
        flying--;
        continue;
      }
      begun++;
      begin_exchange(epoll, slot, s.bytes, s.cycle, o);
    }
  }
  r.ns = t - start;
  r.payload_bytes = r.frames * reply_length;
  return report(o, &r);
}

static int run_idle(const struct options *o) {
  struct stream s = make_stream(o->size, 0, o->header, 1);
  struct result r = {0};
  int *fds = must_alloc(o->connections * sizeof *fds);
  size_t half = s.cycle / 2 + 2;
  for (size_t i = 0; i < o->connections; i++) {
    fds[i] = open_connection(o);
    send_whole(fds[i], s.bytes, half, o);
  }
  printf("{\"held\":%zu}\n", o->connections);
  fflush(stdout);
  char line[64];
  uint64_t start = begin();
  if (!fgets(line, sizeof line, stdin)) return 0;
  for (size_t i = 0; i < o->connections; i++) {
    send_whole(fds[i], s.bytes + half, s.cycle - half, o);
    shutdown(fds[i], SHUT_WR);
  }
  for (size_t i = 0; i < o->connections; i++)
    if (read_to_end(fds[i], o)) r.errors++;
  r.ns = now_ns() - start;
  r.frames = o->connections;
  r.bytes = o->connections * s.cycle;
  r.payload_bytes = o->connections * o->size;
  return report(o, &r);
}

static struct options parse_options(int argc, char **argv) {
  static const struct option longs[] = {
      {"size", 1, 0, 's'},   {"seconds", 1, 0, 't'}, {"frames", 1, 0, 'n'}, {"outstanding", 1, 0, 'k'},
      {"reply", 1, 0, 'r'},  {"limit", 1, 0, 'l'},   {"header", 1, 0, 'v'}, {"connections", 1, 0, 'c'},
      {"help", 0, 0, 'h'},   {0, 0, 0, 0}};
  struct options o = {.size = 64, .seconds = 1, .outstanding = 64, .connections = 0, .reply = OK_REPLY, .limit_ms = 10000};
  for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
    if (c == 's' && strcmp(optarg, "mixed") == 0) o.mixed = 1;
    else if (c == 's') o.size = strtoull(optarg, NULL, 10);
    else if (c == 't') o.seconds = strtod(optarg, NULL);
    else if (c == 'n') o.frames = strtoull(optarg, NULL, 10);
    else if (c == 'k') o.outstanding = strtoull(optarg, NULL, 10);
    else if (c == 'c') o.connections = strtoull(optarg, NULL, 10);
    else if (c == 'r') o.reply = optarg;
    else if (c == 'l') o.limit_ms = (int)(strtod(optarg, NULL) * 1000);
    else if (c == 'v' && strcmp(optarg, "be32") == 0) o.header = BE32;
    else if (c == 'v' && strcmp(optarg, "le32") == 0) o.header = LE32;
    else if (c == 'v' && strcmp(optarg, "varint") == 0) o.header = VARINT;
    else {
      fputs(HELP, c == 'h' ? stdout : stderr);
      exit(c == 'h' ? 0 : 2);
    }
  }
  if (argc - optind != 2 || !o.outstanding) {
    fputs(HELP, stderr);
    exit(2);
  }
  o.mode = argv[optind];
  if (!o.connections) o.connections = strcmp(o.mode, "receive") == 0 ? 1 : 16;
  o.address = parse_address(argv[optind + 1]);
  return o;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  struct options o = parse_options(argc, argv);
  if (strcmp(o.mode, "receive") == 0) return o.connections > 1 ? run_receive_many(&o) : run_receive(&o);
  if (strcmp(o.mode, "send") == 0) return run_send(&o);
  if (strcmp(o.mode, "echo") == 0) return run_echo(&o);
  if (strcmp(o.mode, "pingpong") == 0) {
    o.outstanding = 1;
    return run_echo(&o);
  }
  if (strcmp(o.mode, "conns") == 0) return run_conns(&o);
  if (strcmp(o.mode, "exchange") == 0) return run_exchange(&o);
  if (strcmp(o.mode, "idle") == 0) return run_idle(&o);
  fputs(HELP, stderr);
  return 2;
}

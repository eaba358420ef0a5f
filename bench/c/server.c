/* The reference server: what a plain epoll program in C makes of the same work, as the limit to compare with.
 * It frames, reassembles and bounds as the package does (4-byte big-endian lengths, 16 MiB at most, unread bytes
 * kept per connection only while they wait) and nothing else. Commands on stdin: "report" prints one line of
 * JSON, end of input ends the program. */
#include "common.h"

static const char *HELP =
    "server MODE ADDRESS [options]\n"
    "  count     count frames, end when the client ends\n"
    "  echo      send every frame back\n"
    "  send      send frames to whoever connects for --seconds, then end\n"
    "  exchange  one frame in, one frame of JSON out, close; one second for the header, one for the body\n"
    "  --size N  payload of 'send' (64)    --seconds S  (1)\n"
    "Prints 'ready' when it listens.\n";

#define MAX_FRAME (16 * 1024 * 1024)
#define SEND_SIZE (64 * 1024)
#define SECOND 1000000000ull

enum mode { COUNT, ECHO, SEND, EXCHANGE };

struct connection {
  int fd;
  int ended;              /* the client has ended its side */
  uint8_t *held;          /* bytes of an unfinished frame */
  size_t held_length, held_room;
  uint8_t *queue;         /* bytes the kernel did not take */
  size_t queue_length, queue_at;
  uint64_t deadline;      /* exchange: in the list of its state */
  struct connection *next, *previous;
  int body;
};

/* Connections whose deadlines come in the order in which they were added. */
struct list {
  struct connection *first, *last;
};

static enum mode mode;
static int epoll_fd, listen_fd, tcp;
static uint8_t slab[READ_SIZE];
static struct stream blast;
static double send_seconds = 1;
static struct list header_list, body_list;
static struct { uint64_t frames, payload_bytes, bytes, connections, open, errors; } counts;

static void list_add(struct list *list, struct connection *c, uint64_t deadline) {
  c->deadline = deadline;
  c->next = NULL;
  c->previous = list->last;
  if (list->last) list->last->next = c;
  else list->first = c;
  list->last = c;
}

static void list_remove(struct list *list, struct connection *c) {
  if (c->previous) c->previous->next = c->next;
  else list->first = c->next;
  if (c->next) c->next->previous = c->previous;
  else list->last = c->previous;
}

static void close_connection(struct connection *c) {
  if (mode == EXCHANGE) list_remove(c->body ? &body_list : &header_list, c);
  close(c->fd);
  free(c->held);
  free(c->queue);
  free(c);
  counts.open--;
}

static void interest(struct connection *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = c}};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* Writes what it can; the rest waits, and nothing is read until it has left. Returns 0 when the peer is gone. */
static int write_some(struct connection *c, const uint8_t *bytes, size_t length) {
  if (c->queue_length == 0) {
    ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) return 0;
    if (n > 0) {
      bytes += n;
      length -= (size_t)n;
    }
    if (length == 0) return 1;
    interest(c, EPOLLOUT);
  }
  if (c->queue_at) {
    memmove(c->queue, c->queue + c->queue_at, c->queue_length - c->queue_at);
    c->queue_length -= c->queue_at;
    c->queue_at = 0;
  }
  c->queue = realloc(c->queue, c->queue_length + length);
  if (!c->queue) die("out of memory");
  memcpy(c->queue + c->queue_length, bytes, length);
  c->queue_length += length;
  return 1;
}

static int flush_queue(struct connection *c) {
  while (c->queue_at < c->queue_length) {
    ssize_t n = send(c->fd, c->queue + c->queue_at, c->queue_length - c->queue_at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN;
    c->queue_at += (size_t)n;
  }
  free(c->queue);
  c->queue = NULL;
  c->queue_length = c->queue_at = 0;
  if (c->ended) return 0;
  interest(c, EPOLLIN);
  return 1;
}

/* The whole frames at the front of `bytes`: how many bytes they take, or -1 for a length over the limit. */
static ssize_t scan(const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (length - at >= 4) {
    uint32_t size = get_be32(bytes + at);
    if (size > MAX_FRAME) return -1;
    if (length - at - 4 < size) break;
    at += 4 + (size_t)size;
    counts.frames++;
    counts.payload_bytes += size;
  }
  return (ssize_t)at;
}

static void hold(struct connection *c, const uint8_t *bytes, size_t length) {
  if (c->held_length + length > c->held_room) {
    c->held_room = c->held_room * 2 > c->held_length + length ? c->held_room * 2 : c->held_length + length;
    c->held = realloc(c->held, c->held_room);
    if (!c->held) die("out of memory");
  }
  memcpy(c->held + c->held_length, bytes, length);
  c->held_length += length;
}

static int answer_exchange(struct connection *c, const char *text) {
  uint8_t reply[128];
  size_t length = strlen(text);
  put_be32(reply, (uint32_t)length);
  memcpy(reply + 4, text, length);
  (void)!send(c->fd, reply, length + 4, MSG_NOSIGNAL | MSG_DONTWAIT);
  return 0;
}

/* Whole frames were read: bytes [0, length). Returns 0 to close. */
static int deliver(struct connection *c, const uint8_t *bytes, size_t length) {
  if (length == 0) return 1;
  if (mode == ECHO) return write_some(c, bytes, length);
  if (mode == EXCHANGE) return answer_exchange(c, OK_REPLY);
  return 1;
}

/* A frame that is larger than what was left of the slab is read to the end in its own memory. */
static int read_into_held(struct connection *c) {
  size_t whole = c->held_length >= 4 ? 4 + (size_t)get_be32(c->held) : 4;
  size_t room = whole - c->held_length;
  if (room > c->held_room - c->held_length) {
    size_t grown = c->held_room * 2 < whole ? c->held_room * 2 : whole;
    if (grown < 4096) grown = whole < 4096 ? whole : 4096;
    if (grown > c->held_room) {
      c->held = realloc(c->held, grown);
      if (!c->held) die("out of memory");
      c->held_room = grown;
    }
    if (room > c->held_room - c->held_length) room = c->held_room - c->held_length;
  }
  ssize_t n = recv(c->fd, c->held + c->held_length, room, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return -1;
  c->held_length += (size_t)n;
  counts.bytes += (uint64_t)n;
  ssize_t used = scan(c->held, c->held_length);
  if (used < 0) return 0;
  if (used == 0) return 1;
  int alive = deliver(c, c->held, (size_t)used);
  free(c->held);
  c->held = NULL;
  c->held_length = c->held_room = 0;
  return alive;
}

/* Bytes of an unfinished frame are put in front of what is read next, so that frames stay in one piece. */
static int read_into_slab(struct connection *c) {
  size_t kept = c->held_length;
  memcpy(slab, c->held, kept);
  ssize_t n = recv(c->fd, slab + kept, sizeof slab - kept, MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return -1;
  counts.bytes += (uint64_t)n;
  ssize_t used = scan(slab, kept + (size_t)n);
  if (used < 0) return 0;
  if (!deliver(c, slab, (size_t)used)) return 0;
  size_t rest = kept + (size_t)n - (size_t)used;
  c->held_length = 0;
  if (rest) hold(c, slab + used, rest);
  else if (c->held) {
    free(c->held);
    c->held = NULL;
    c->held_room = 0;
  }
  return 1;
}

static int readable(struct connection *c) {
  size_t whole = c->held_length >= 4 ? 4 + (size_t)get_be32(c->held) : 0;
  int alive = whole > sizeof slab / 2 ? read_into_held(c) : read_into_slab(c);
  if (alive == -1) {
    if (mode == EXCHANGE) return answer_exchange(c, c->body ? "{\"res\":\"fail\",\"msg\":\"长度不相等\"}" : "{\"res\":\"fail\",\"msg\":\"长度有误\"}");
    if (c->held_length) counts.errors++;
    c->ended = 1;
    return c->queue_length > 0;
  }
  if (alive && mode == EXCHANGE && !c->body && c->held_length >= 4) {
    list_remove(&header_list, c);
    c->body = 1;
    list_add(&body_list, c, now_ns() + SECOND);
  }
  return alive;
}

/* 'send' serves one client at a time, blocking: there is nothing else to do. */
static void serve_send(int fd) {
  uint64_t deadline = now_ns() + (uint64_t)(send_seconds * 1e9);
  size_t at = 0;
  for (;;) {
    if (at == 0 && now_ns() >= deadline) break;
    ssize_t n = send(fd, blast.bytes + at, blast.cycle - at, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) break;
    if (n < 0) continue;
    at += (size_t)n;
    counts.bytes += (uint64_t)n;
    if (at < blast.cycle) continue;
    at = 0;
    counts.frames += blast.frames;
    counts.payload_bytes += blast.payload_bytes;
  }
  close(fd);
}

static void accept_all(void) {
  for (int i = 0; i < 64; i++) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | (mode == SEND ? 0 : SOCK_NONBLOCK));
    if (fd < 0) return;
    if (tcp) no_delay(fd);
    counts.connections++;
    if (mode == SEND) {
      serve_send(fd);
      continue;
    }
    struct connection *c = calloc(1, sizeof *c);
    if (!c) die("out of memory");
    c->fd = fd;
    counts.open++;
    if (mode == EXCHANGE) {
      list_add(&header_list, c, now_ns() + SECOND);
      /* The frame is usually there already. */
      if (!readable(c)) {
        close_connection(c);
        continue;
      }
    }
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

static void expire(struct list *list, uint64_t now, const char *text) {
  while (list->first && list->first->deadline <= now) {
    struct connection *c = list->first;
    answer_exchange(c, text);
    close_connection(c);
  }
}

static int next_timeout(void) {
  uint64_t first = UINT64_MAX;
  if (header_list.first) first = header_list.first->deadline;
  if (body_list.first && body_list.first->deadline < first) first = body_list.first->deadline;
  if (first == UINT64_MAX) return -1;
  uint64_t now = now_ns();
  if (first <= now) {
    expire(&header_list, now, "{\"res\":\"fail\",\"msg\":\"长度有误\"}");
    expire(&body_list, now, "{\"res\":\"fail\",\"msg\":\"长度不相等\"}");
    return next_timeout();
  }
  return (int)((first - now) / 1000000) + 1;
}

static long resident_bytes(void) {
  long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file) {
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    fclose(file);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

static void report(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"frames\":%llu,\"payloadBytes\":%llu,\"bytes\":%llu,\"connections\":%llu,\"open\":%llu,\"errors\":%llu,"
         "\"cpuUser\":%lld,\"cpuSystem\":%lld,\"rss\":%ld,\"peak\":%ld}\n",
         (unsigned long long)counts.frames, (unsigned long long)counts.payload_bytes, (unsigned long long)counts.bytes,
         (unsigned long long)counts.connections, (unsigned long long)counts.open, (unsigned long long)counts.errors,
         (long long)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
         (long long)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec, resident_bytes(),
         usage.ru_maxrss * 1024);
  fflush(stdout);
}

static void command(void) {
  char line[256];
  ssize_t n = read(0, line, sizeof line);
  if (n <= 0) exit(0);
  for (ssize_t i = 0; i < n; i++)
    if (line[i] == '\n') report();
}

static void listen_at(const struct address *address) {
  listen_fd = socket(address->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int one = 1;
  tcp = is_tcp(address);
  if (tcp) setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  else unlink(address->at.path.sun_path);
  if (bind(listen_fd, &address->at.any, address->length) < 0) die("bind: %s", strerror(errno));
  if (listen(listen_fd, 1024) < 0) die("listen: %s", strerror(errno));
}

static void serve(void) {
  static struct connection stdin_mark, listen_mark;
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &listen_mark}}, events[1024];
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event);
  event.data.ptr = &stdin_mark;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event);
  puts("ready");
  fflush(stdout);
  for (;;) {
    int n = epoll_wait(epoll_fd, events, 1024, next_timeout());
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == &listen_mark) accept_all();
      else if (c == &stdin_mark) command();
      else if (c->queue_length ? !flush_queue(c) : !readable(c)) close_connection(c);
    }
  }
}

int main(int argc, char **argv) {
  size_t size = 64;
  for (int i = 3; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--size") == 0) size = strtoull(argv[i + 1], NULL, 10);
    else if (strcmp(argv[i], "--seconds") == 0) send_seconds = strtod(argv[i + 1], NULL);
    else die("%s", HELP);
  }
  if (argc < 3) die("%s", HELP);
  if (strcmp(argv[1], "count") == 0) mode = COUNT;
  else if (strcmp(argv[1], "echo") == 0) mode = ECHO;
  else if (strcmp(argv[1], "send") == 0) mode = SEND;
  else if (strcmp(argv[1], "exchange") == 0) mode = EXCHANGE;
  else die("%s", HELP);
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  struct address address = parse_address(argv[2]);
  if (mode == SEND) {
    /* Every frame has the bytes of frame 0, as the generator expects. */
    struct stream one = make_stream(size, 0, BE32, 1);
    blast.frames = one.cycle < SEND_SIZE ? (uint32_t)(SEND_SIZE / one.cycle) : 1;
    blast.cycle = one.cycle * blast.frames;
    blast.payload_bytes = one.payload_bytes * blast.frames;
    blast.bytes = must_alloc(blast.cycle);
    for (uint32_t i = 0; i < blast.frames; i++) memcpy(blast.bytes + i * one.cycle, one.bytes, one.cycle);
  }
  listen_at(&address);
  serve();
}

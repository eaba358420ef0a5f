// A hub with an owner that is no JavaScript: echoes frames, writes down what it was told. And peers of it,
// plain sockets driven by hand. Knows the contract in hub.hpp.
#pragma once

#include "../../transport/connection.hpp"
#include "../../transport/listener.hpp"
#include "failing.hpp"

#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

extern "C" int __real_socket(int domain, int type, int protocol);
extern "C" int __real_connect(int fd, const sockaddr *address, socklen_t length);
extern "C" int __real_bind(int fd, const sockaddr *address, socklen_t length);
extern "C" int __real_listen(int fd, int backlog);
extern "C" int __real_accept4(int fd, sockaddr *address, socklen_t *length, int flags);
extern "C" int __real_shutdown(int fd, int how);

namespace framewire::test {

inline size_t open_descriptors() {
  size_t count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) count++;
  closedir(directory);
  return count;
}

// malloc that may fail or lose what it gave, and says what is out.
class LargeMemory final : public MemorySource {
public:
  size_t live = 0;
  bool lost = false;
  bool holds(const Block &) noexcept override { return !lost; }
  bool acquire(size_t size, Block &out) noexcept override {
    if (!heap_.acquire(size, out)) return false;
    live += size;
    return true;
  }
  void release(Block &block) noexcept override {
    live -= block.size;
    heap_.release(block);
  }

private:
  HeapMemory heap_;
};

class EchoHub final : public HubOwner {
public:
  static constexpr size_t slab_bytes = 1 << 16, max_rows = 512, max_runs = 64, max_states = 16,
                          max_segments = 64, max_slots = 256;

  EchoHub() {
    uv_loop_init(&loop_);
    HubMemory memory{};
    memory.slab = slab_.data();
    memory.slab_size = slab_.size();
    memory.rows = rows_.data();
    memory.max_rows = rows_.size();
    memory.runs = runs_.data();
    memory.max_runs = runs_.size();
    memory.states = states_.data();
    memory.max_states = states_.size();
    memory.out = out_.data();
    memory.out_size = out_.size();
    memory.segments = segments_.data();
    memory.max_segments = segments_.size();
    memory.control = control_;
    memory.written = written_.data();
    memory.received = received_.data();
    memory.marks = marks_.data();
    memory.owners = owners_.data();
    memory.max_slots = max_slots;
    hub_ = std::make_unique<Hub>(memory, *this, large);
    initialised = hub_->init(&loop_);
    config = new ChannelConfig;
    config->references = 1;
  }

  ~EchoHub() override {
    bool done = false;
    hub_->close([](void *flag) { *static_cast<bool *>(flag) = true; }, &done);
    while (!done) uv_run(&loop_, UV_RUN_ONCE);
    hub_.reset();
    if (left != nullptr) *left = large.live;
    if (--config->references == 0) delete config;
    uv_run(&loop_, UV_RUN_DEFAULT);
    leftovers = uv_loop_close(&loop_);
  }

  int listen(const std::string &path, uint32_t most = UINT32_MAX) {
    return listen_with(config, most,
                       [&](Listener &made) { return made.listen_path(path.c_str(), path.size(), 128); });
  }
  // A configuration knows one listener: a second one takes its own, and frees it.
  int listen(int descriptor, bool shared, ChannelConfig *with = nullptr) {
    return listen_with(with == nullptr ? config : with, UINT32_MAX,
                       [&](Listener &made) { return made.listen_descriptor(descriptor, shared, 128); });
  }

  // As the binding does it: a connection that cannot even begin is destroyed.
  int connect(const std::string &path) {
    return begin(false, [&](Connection &made) { return made.connect_path(path.c_str(), path.size()); });
  }
  int connect(const sockaddr_in &address) {
    return begin(true, [&](Connection &made) {
      return made.connect_tcp(reinterpret_cast<const sockaddr *>(&address));
    });
  }

  // A turn of the loop, without waiting.
  void step() { uv_run(&loop_, UV_RUN_NOWAIT); }
  Hub &hub() { return *hub_; }

  void turn(size_t runs, size_t states) noexcept override {
    for (size_t i = 0; i < runs; i++) deliver(runs_[i]);
    for (size_t i = 0; i < states; i++) tell(states_[i]);
    if (gives_slab) give_slab();
  }

  LargeMemory large;
  ChannelConfig *config;
  int initialised = 0;
  int leftovers = 0;
  size_t *left = nullptr; // told the live bytes when everything is closed
  size_t frames = 0, opened = 0, ended = 0, closed = 0, dropped = 0, exhausted = 0, errors = 0;
  std::map<FaultCode, size_t> faults;
  bool echoes = true;
  // At the end of every turn. What was given away is somebody else's, who writes to it.
  bool gives_slab = false;
  size_t given = 0, refused = 0;

private:
  // As the binding does it.
  template <class Listen> int listen_with(ChannelConfig *with, uint32_t most, Listen listen) {
    Listener *made = Listener::create(*hub_, with, 1, most, false, true);
    if (made == nullptr) return UV_ENOMEM;
    int status = listen(*made);
    if (status < 0) made->close();
    return status;
  }

  template <class Connect> int begin(bool is_tcp, Connect connect) {
    Connection *made = Connection::create(*hub_, *config, is_tcp);
    if (made == nullptr) return UV_ENOMEM;
    int status = connect(*made);
    if (status < 0) made->destroy();
    return status;
  }

  void give_slab() noexcept {
    hub_->flush();
    if (!hub_->use_slab(next_slab_.data())) {
      refused++;
      return;
    }
    given++;
    slab_.swap(next_slab_);
    std::memset(next_slab_.data(), 0xee, next_slab_.size());
  }

  void add(uint32_t slot, uint32_t start, uint32_t end, SegmentKind kind) noexcept {
    if (control_[control_segments] == max_segments) hub_->flush();
    segments_[control_[control_segments]++] = {slot, start, end, kind};
  }

  void deliver(const FrameRun &run) noexcept {
    Connection *connection = hub_->connection(run.slot);
    if (run.large == 0) {
      frames += run.count;
      if (!echoes) return;
      for (uint32_t row = run.first; row < run.first + run.count; row++)
        add(run.slot, rows_[row].start - 4, rows_[row].end, segment_slab);
      return;
    }
    Block block;
    if (connection == nullptr || !connection->take_large(block)) return;
    frames++;
    if (echoes) {
      uv_buf_t frame =
          uv_buf_init(reinterpret_cast<char *>(block.data) + run.first - 4, run.count - run.first + 4);
      hub_->flush();
      connection->write(&frame, 1, frame.len);
    }
    large.release(block);
  }

  void tell(const StateRow &row) noexcept {
    if (row.listener != 0) {
      if (row.bits & state_dropped) dropped += row.value;
      if (row.bits & state_exhausted) exhausted += row.value;
      if (row.bits & state_error) errors++;
      return;
    }
    Connection *connection = hub_->connection(row.slot);
    if (row.bits & state_opened) {
      opened++;
      if (connection != nullptr) connection->resume();
    }
    if (row.bits & state_end) {
      ended++;
      add(row.slot, 0, 0, segment_end);
    }
    if (row.bits & state_fault) {
      const Fault *fault = connection->fault();
      {
        Spared spared;
        faults[fault->code]++;
      }
      if (!fault->fatal) add(row.slot, 20, 0, segment_close);
    }
    if (row.bits & state_closed) closed++;
  }

  uv_loop_t loop_;
  std::vector<uint8_t> slab_ = std::vector<uint8_t>(slab_bytes), next_slab_ = slab_,
                       out_ = std::vector<uint8_t>(4096);
  std::vector<FrameRow> rows_ = std::vector<FrameRow>(max_rows);
  std::vector<FrameRun> runs_ = std::vector<FrameRun>(max_runs);
  std::vector<StateRow> states_ = std::vector<StateRow>(max_states);
  std::vector<Segment> segments_ = std::vector<Segment>(max_segments);
  uint32_t control_[control_words] = {};
  std::vector<double> written_ = std::vector<double>(max_slots), received_ = std::vector<double>(max_slots),
                      marks_ = std::vector<double>(max_slots);
  std::vector<uint32_t> owners_ = std::vector<uint32_t>(max_slots);
  std::unique_ptr<Hub> hub_;
};

// A client that writes what it has and reads what there is, a little at every step.
class RawPeer {
public:
  explicit RawPeer(const std::string &path) {
    fd_ = __real_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    connected = __real_connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0;
  }
  // What a client of ours has connected to.
  explicit RawPeer(int fd) : connected(fd >= 0), over(fd < 0), fd_(fd) {}
  RawPeer(const RawPeer &) = delete;
  ~RawPeer() { close(); }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    over = true;
  }
  void end() { __real_shutdown(fd_, SHUT_WR); }

  // Returns true when something moved.
  bool step() {
    if (over) return false;
    bool moved = false;
    if (written < to_write.size()) {
      ssize_t n = ::write(fd_, to_write.data() + written, to_write.size() - written);
      if (n > 0) written += static_cast<size_t>(n);
      moved = n > 0;
    }
    if (!reads) return moved;
    uint8_t buffer[8192];
    ssize_t n = ::read(fd_, buffer, sizeof buffer);
    if (n > 0) received.insert(received.end(), buffer, buffer + n);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) over = true;
    return moved || n > 0;
  }

  std::vector<uint8_t> to_write, received;
  size_t written = 0;
  bool connected = false, over = false, reads = true;

private:
  int fd_ = -1;
};

inline void append_frame(size_t size, uint8_t seed, std::vector<uint8_t> &stream) {
  for (int shift = 24; shift >= 0; shift -= 8) stream.push_back(static_cast<uint8_t>(size >> shift));
  for (size_t i = 0; i < size; i++) stream.push_back(static_cast<uint8_t>(seed + i * 7));
}

inline std::vector<uint8_t> mixed_stream() {
  std::vector<uint8_t> stream;
  uint8_t seed = 1;
  for (size_t size : {1, 5, 300, 0, 70'000, 2000, 3, 200'000, 40}) append_frame(size, seed++, stream);
  return stream;
}

// A plain socket that listens, on a path or on a free port of 127.0.0.1.
class RawListener {
public:
  explicit RawListener(const std::string &path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.c_str(), path.size());
    open(AF_UNIX, reinterpret_cast<sockaddr *>(&name), sizeof name);
  }
  RawListener() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open(AF_INET, reinterpret_cast<sockaddr *>(&address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr *>(&address), &size);
  }
  RawListener(const RawListener &) = delete;
  ~RawListener() { ::close(fd_); }
  // -1: nobody is there.
  int accept() { return __real_accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }

  bool listens = false;
  sockaddr_in address{};

private:
  void open(int family, const sockaddr *name, socklen_t size) {
    fd_ = __real_socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    listens = __real_bind(fd_, name, size) == 0 && __real_listen(fd_, 128) == 0;
  }
  int fd_ = -1;
};

// A folder for a socket, gone when the test is over.
class Folder {
public:
  Folder() { mkdtemp(name_); }
  ~Folder() {
    unlink(path().c_str());
    rmdir(name_);
  }
  std::string path() const { return std::string(name_) + "/s"; }

private:
  char name_[24] = "/tmp/fw-test-XXXXXX";
};

} // namespace framewire::test
